/*
 * cxx - operator new and delete, all twenty forms, written in C.
 *
 * 1. Every form is weak, so that in a static link the program's own wins;
 *    in a dynamic one the dynamic linker sees to it.
 * 2. Forms derived from others keep the relations of the standard when the
 *    program replaces only some: new[] calls new, delete[] and sized delete
 *    call delete, nothrow new calls the throwing one. A form is replaced
 *    when its exported name, seen through the GOT, is not ours: one load
 *    and compare, measured at a third of the jump through the PLT that
 *    calling it always would cost.
 * 3. So it is with malloc, aligned_alloc and free, which the C++ library's own
 *    forms call: where a program, or a library in front of ours, has put
 *    others there, they are called.
 * 4. A C program never loads a C++ runtime: what throwing needs is found
 *    when it is needed, by cxx_runtime.
 * 5. Compile with -fexceptions, and never with -fno-semantic-interposition
 *    or -Bsymbolic: handlers throw through these frames, and rule 2 needs
 *    the interposed address.
 * 6. The mangled names are those of machines whose size_t is unsigned long.
 */
#include "base/base.h"
#include "base/param.h"
#include "interpose/cxx_runtime.h"
#include "malloc/malloc.h"
#include "zbmalloc.h"

#include <stdlib.h>

#define EXPORT	__attribute__((visibility("default"), weak))
#define OWN	__attribute__((visibility("hidden"), used))
#define NAME_OF(target) __attribute__((alias(target)))

/* Who called the operator; in what is inlined into it. */
#define CALLER	__builtin_return_address(0)

/* const std::nothrow_t & and std::align_val_t, as the ABI passes them. */
#define NOTHROW	const void *nothrow __attribute__((unused))
#define SIZED	size_t size __attribute__((unused))
#define ALIGNED	size_t align __attribute__((unused))

/*
 * Our own definitions of the forms that others call, under names that
 * nothing replaces, and the names that something may.
 */
void *cxx_new(size_t size) OWN hot_path;
void *cxx_new_array(size_t size) OWN;
void *cxx_new_aligned(size_t size, size_t align) OWN;
void *cxx_new_array_aligned(size_t size, size_t align) OWN;
void cxx_delete(void *ptr) OWN hot_path;
void cxx_delete_array(void *ptr) OWN;
void cxx_delete_aligned(void *ptr, ALIGNED) OWN;
void cxx_delete_array_aligned(void *ptr, size_t align) OWN;

EXPORT void *_Znwm(size_t size) NAME_OF("cxx_new");
EXPORT void *_Znam(size_t size) NAME_OF("cxx_new_array");
EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t align)
	NAME_OF("cxx_new_aligned");
EXPORT void *_ZnamSt11align_val_t(size_t size, size_t align)
	NAME_OF("cxx_new_array_aligned");
EXPORT void _ZdlPv(void *ptr) NAME_OF("cxx_delete");
EXPORT void _ZdaPv(void *ptr) NAME_OF("cxx_delete_array");
EXPORT void _ZdlPvSt11align_val_t(void *ptr, size_t align)
	NAME_OF("cxx_delete_aligned");
EXPORT void _ZdaPvSt11align_val_t(void *ptr, size_t align)
	NAME_OF("cxx_delete_array_aligned");

/* The other forms; nothing here calls them. */
EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, NOTHROW);
EXPORT void *_ZnamRKSt9nothrow_t(size_t size, NOTHROW);
EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
						NOTHROW);
EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
						NOTHROW);
EXPORT hot_path void _ZdlPvm(void *ptr, SIZED);
EXPORT void _ZdaPvm(void *ptr, SIZED);
EXPORT void _ZdlPvRKSt9nothrow_t(void *ptr, NOTHROW);
EXPORT void _ZdaPvRKSt9nothrow_t(void *ptr, NOTHROW);
EXPORT void _ZdlPvmSt11align_val_t(void *ptr, SIZED, size_t align);
EXPORT void _ZdaPvmSt11align_val_t(void *ptr, SIZED, size_t align);
EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
						NOTHROW);
EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
						NOTHROW);

/*
 * In a static link whoever takes this object must get libc.c with it: what
 * operator new gives, free must know. This reference sees to it.
 */
const char *(*const cxx_needs_libc)(void)
	__attribute__((used, visibility("hidden"))) = zbm_version;

/* libc.c: what malloc, aligned_alloc and free are when nobody replaced them. */
void *own_malloc(size_t size) __attribute__((visibility("hidden")));
void *own_aligned_alloc(size_t align, size_t size)
	__attribute__((visibility("hidden")));
void own_free(void *ptr) __attribute__((visibility("hidden")));

/* `align` 0 means the plain forms. */
static inline bool replaced_alloc(size_t align)
{
	return align ? aligned_alloc != own_aligned_alloc :
		       malloc != own_malloc;
}

/* On its own for where the compiler puts it. */
static cold_path void cxx_free_named(void *ptr)
{
	free(ptr);
}

static inline void cxx_free(void *ptr)
{
	if (unlikely(free != own_free))
		cxx_free_named(ptr);
	else
		mem_free(ptr);
}

static inline void cxx_free_aligned(void *ptr)
{
	if (unlikely(aligned_alloc != own_aligned_alloc))
		cxx_free_named(ptr);
	else
		mem_free(ptr);
}

/* Each is true when the form or one that ours would call was replaced. */
static inline bool replaced_new(void)
{
	return _Znwm != cxx_new;
}

static inline bool replaced_new_array(void)
{
	return (_Znam != cxx_new_array) | replaced_new();
}

static inline bool replaced_new_aligned(void)
{
	return _ZnwmSt11align_val_t != cxx_new_aligned;
}

static inline bool replaced_new_array_aligned(void)
{
	return (_ZnamSt11align_val_t != cxx_new_array_aligned) |
		replaced_new_aligned();
}

static inline bool replaced_delete(void)
{
	return _ZdlPv != cxx_delete;
}

static inline bool replaced_delete_array(void)
{
	return (_ZdaPv != cxx_delete_array) | replaced_delete();
}

static inline bool replaced_delete_aligned(void)
{
	return _ZdlPvSt11align_val_t != cxx_delete_aligned;
}

static inline bool replaced_delete_array_aligned(void)
{
	return (_ZdaPvSt11align_val_t != cxx_delete_array_aligned) |
		replaced_delete_aligned();
}

/* A multiple of the alignment, as libstdc++ hands to aligned_alloc. */
static inline size_t cxx_aligned_size(size_t size, size_t align)
{
	size_t rounded = align_up(size, align);

	return rounded < size ? SIZE_MAX : rounded;
}

static inline void *cxx_alloc_own(size_t size, size_t align)
{
	if (!align)
		return mem_malloc(size);
	align = max(align, (size_t)MIN_ALIGN);
	return mem_memalign(align, cxx_aligned_size(size, align));
}

/* By the names, whoever has them. */
static never_inline void *cxx_alloc_named(size_t size, size_t align)
{
	size += !size;
	return align ? aligned_alloc(align, cxx_aligned_size(size, align)) :
		       malloc(size);
}

static inline void *cxx_alloc(size_t size, size_t align)
{
	return replaced_alloc(align) ? cxx_alloc_named(size, align) :
				       cxx_alloc_own(size, align);
}

/* What a throwing form does when memory is out; returns only with some. */
static cold_path void *cxx_alloc_failed(size_t size, size_t align,
					const void *caller)
{
	struct cxx_runtime runtime;
	void (*handler)(void);
	void *ptr;

	cxx_runtime_find(&runtime, caller);
	do {
		handler = cxx_new_handler(&runtime);
		/* No handler can mend a wrong alignment. */
		if (!handler || (align && !is_pow2(align)))
			cxx_throw_bad_alloc(&runtime, size);
		handler();
		ptr = cxx_alloc(size, align);
	} while (!ptr);
	return ptr;
}

/* On its own, and jumped to, so that what it stands beside needs no stack; its
 * caller is the operator's, but in builds without optimization. */
static never_inline void *cxx_alloc_named_or_throw(size_t size, size_t align)
{
	void *ptr = cxx_alloc_named(size, align);

	return likely(ptr) ? ptr : cxx_alloc_failed(size, align, CALLER);
}

static force_inline void *cxx_alloc_or_throw(size_t size, size_t align)
{
	void *ptr;

	if (unlikely(replaced_alloc(align)))
		return cxx_alloc_named_or_throw(size, align);
	ptr = cxx_alloc_own(size, align);
	return likely(ptr) ? ptr : cxx_alloc_failed(size, align, CALLER);
}

/* The throwing form that a nothrow form stands for, whoever defined it. */
static void *call_new(size_t size, size_t align __attribute__((unused)))
{
	return _Znwm(size);
}

static void *call_new_array(size_t size, size_t align __attribute__((unused)))
{
	return _Znam(size);
}

static void *call_new_aligned(size_t size, size_t align)
{
	return _ZnwmSt11align_val_t(size, align);
}

static void *call_new_array_aligned(size_t size, size_t align)
{
	return _ZnamSt11align_val_t(size, align);
}

/* A nothrow form when memory is out and every form involved is ours. */
static cold_path void *cxx_nothrow_failed(cxx_call *call, size_t size,
					  size_t align, const void *caller)
{
	struct cxx_runtime runtime;

	cxx_runtime_find(&runtime, caller);
	/* The throwing form would do nothing but throw. */
	if (!cxx_new_handler(&runtime))
		return NULL;
	return cxx_catch(call, size, align, caller);
}

static force_inline void *cxx_alloc_nothrow(bool replaced, cxx_call *call,
				      size_t size, size_t align)
{
	void *ptr;

	if (unlikely(replaced))
		return cxx_catch(call, size, align, CALLER);
	ptr = cxx_alloc(size, align);
	return likely(ptr) ? ptr :
			     cxx_nothrow_failed(call, size, align, CALLER);
}

void *cxx_new(size_t size)
{
	return cxx_alloc_or_throw(size, 0);
}

void *cxx_new_array(size_t size)
{
	if (unlikely(replaced_new()))
		return _Znwm(size);
	return cxx_alloc_or_throw(size, 0);
}

void *cxx_new_aligned(size_t size, size_t align)
{
	return cxx_alloc_or_throw(size, align);
}

void *cxx_new_array_aligned(size_t size, size_t align)
{
	if (unlikely(replaced_new_aligned()))
		return _ZnwmSt11align_val_t(size, align);
	return cxx_alloc_or_throw(size, align);
}

void *_ZnwmRKSt9nothrow_t(size_t size, NOTHROW)
{
	return cxx_alloc_nothrow(replaced_new(), call_new, size, 0);
}

void *_ZnamRKSt9nothrow_t(size_t size, NOTHROW)
{
	return cxx_alloc_nothrow(replaced_new_array(), call_new_array, size,
				 0);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, NOTHROW)
{
	return cxx_alloc_nothrow(replaced_new_aligned(), call_new_aligned,
				 size, align);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, NOTHROW)
{
	return cxx_alloc_nothrow(replaced_new_array_aligned(),
				 call_new_array_aligned, size, align);
}

void cxx_delete(void *ptr)
{
	cxx_free(ptr);
}

void cxx_delete_array(void *ptr)
{
	if (unlikely(replaced_delete()))
		_ZdlPv(ptr);
	else
		cxx_free(ptr);
}

void _ZdlPvm(void *ptr, SIZED)
{
	if (unlikely(replaced_delete()))
		_ZdlPv(ptr);
	else
		cxx_free(ptr);
}

void _ZdaPvm(void *ptr, SIZED)
{
	if (unlikely(replaced_delete_array()))
		_ZdaPv(ptr);
	else
		cxx_free(ptr);
}

void _ZdlPvRKSt9nothrow_t(void *ptr, NOTHROW)
{
	if (unlikely(replaced_delete()))
		_ZdlPv(ptr);
	else
		cxx_free(ptr);
}

void _ZdaPvRKSt9nothrow_t(void *ptr, NOTHROW)
{
	if (unlikely(replaced_delete_array()))
		_ZdaPv(ptr);
	else
		cxx_free(ptr);
}

void cxx_delete_aligned(void *ptr, ALIGNED)
{
	cxx_free_aligned(ptr);
}

void cxx_delete_array_aligned(void *ptr, size_t align)
{
	if (unlikely(replaced_delete_aligned()))
		_ZdlPvSt11align_val_t(ptr, align);
	else
		cxx_free_aligned(ptr);
}

void _ZdlPvmSt11align_val_t(void *ptr, SIZED, size_t align)
{
	if (unlikely(replaced_delete_aligned()))
		_ZdlPvSt11align_val_t(ptr, align);
	else
		cxx_free_aligned(ptr);
}

void _ZdaPvmSt11align_val_t(void *ptr, SIZED, size_t align)
{
	if (unlikely(replaced_delete_array_aligned()))
		_ZdaPvSt11align_val_t(ptr, align);
	else
		cxx_free_aligned(ptr);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, NOTHROW)
{
	if (unlikely(replaced_delete_aligned()))
		_ZdlPvSt11align_val_t(ptr, align);
	else
		cxx_free_aligned(ptr);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, NOTHROW)
{
	if (unlikely(replaced_delete_array_aligned()))
		_ZdaPvSt11align_val_t(ptr, align);
	else
		cxx_free_aligned(ptr);
}
