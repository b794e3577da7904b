"""model - how the allocator scales, by simulation; see __main__.py."""
