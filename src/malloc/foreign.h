/*
 * foreign - a pointer from outside our window, given to free, realloc or
 * malloc_usable_size.
 *
 * 1. It may be glibc's: from a library bound with RTLD_DEEPBIND, from a
 *    namespace made by dlmopen, or from before this library was loaded.
 *    Then glibc gets it. Else it is a mistake of the program.
 * 2. Any value may be asked about: nothing is read that might fault.
 * 3. Off the fast path: each call costs system calls. errno stays as it
 *    was, unless realloc failed.
 * 4. Not seen as another allocator's: memory of an allocator that is not
 *    glibc's, and the few blocks that ld.so took before it found malloc;
 *    those are never freed by ld.so, nor handed to programs.
 */
#ifndef ZBM_FOREIGN_H
#define ZBM_FOREIGN_H

#include "base/base.h"

/*
 * Each returns true when `ptr` is glibc's and was handed to it, and false
 * when it is nobody's.
 */
bool foreign_free(void *ptr);
bool foreign_realloc(void *ptr, size_t size, void **out);
bool foreign_usable_size(const void *ptr, size_t *size);

#endif
