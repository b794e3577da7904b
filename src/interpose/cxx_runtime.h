/*
 * cxx_runtime - throwing and catching C++ exceptions from C.
 *
 * 1. No C++ library is needed: its functions are found when they are used,
 *    first by weak references, then in what is loaded. libstdc++ and
 *    libc++abi serve alike.
 * 2. Off the fast path: memory is out, or the program replaced an operator.
 */
#ifndef ZBM_CXX_RUNTIME_H
#define ZBM_CXX_RUNTIME_H

#include "base/base.h"

/* Where a field is NULL the process has no C++ runtime. */
struct cxx_runtime {
	void (*(*get_new_handler)(void))(void);
	void *(*allocate_exception)(size_t size);
	void (*throw_exception)(void *object, void *type,
				void (*destroy)(void *));
	void *bad_alloc_type;		/* its std::type_info */
	void *const *bad_alloc_vtable;
	void (*bad_alloc_destroy)(void *object);
	void *(*begin_catch)(void *exception);
	void (*end_catch)(void);
};

/* `caller` is where the operator goes back to: of several runtimes that of the
 * object there is meant. */
void cxx_runtime_find(struct cxx_runtime *runtime, const void *caller);

/* std::get_new_handler(): NULL when there is none. */
static inline void (*cxx_new_handler(const struct cxx_runtime *rt))(void)
{
	return rt->get_new_handler ? rt->get_new_handler() : NULL;
}

/* Without a C++ runtime: a message about `size` bytes, and abort. */
_Noreturn void cxx_throw_bad_alloc(const struct cxx_runtime *runtime,
				   size_t size);

/*
 * Returns call(size, align), or NULL when that threw a C++ exception, which
 * is then caught and gone. Forced unwinding (thread cancellation) passes.
 */
typedef void *cxx_call(size_t size, size_t align);
void *cxx_catch(cxx_call *call, size_t size, size_t align,
		const void *caller);

#endif
