"""suite - measures zbmalloc beside other allocators; see __main__.py."""
