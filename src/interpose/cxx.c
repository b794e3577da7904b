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
 * 3. A C program never loads a C++ runtime: what throwing needs is found
 *    when it is needed, by cxx_runtime.
 * 4. Compile with -fexceptions, and never with -fno-semantic-interposition
 *    or -Bsymbolic: handlers throw through these frames, and rule 2 needs
 *    the interposed address.
 * 5. The mangled names are those of machines whose size_t is unsigned long.
 */
#include "base/base.h"
#include "base/param.h"
#include "interpose/cxx_runtime.h"
#include "malloc/malloc.h"
#include "zbmalloc.h"

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
void *cxx_new(size_t size) OWN;
void *cxx_new_array(size_t size) OWN;
void *cxx_new_aligned(size_t size, size_t align) OWN;
void *cxx_new_array_aligned(size_t size, size_t align) OWN;
void cxx_delete(void *ptr) OWN;
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
EXPORT void _ZdlPvm(void *ptr, SIZED);
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

/* Each is true when the form or one that ours would call was replaced. */
static inline bool replaced_new(void)
{
	return unlikely(_Znwm != cxx_new);
}

static inline bool replaced_new_array(void)
{
	return unlikely(_Znam != cxx_new_array) | replaced_new();
}

static inline bool replaced_new_aligned(void)
{
	return unlikely(_ZnwmSt11align_val_t != cxx_new_aligned);
}

static inline bool replaced_new_array_aligned(void)
{
	return unlikely(_ZnamSt11align_val_t != cxx_new_array_aligned) |
		replaced_new_aligned();
}

static inline bool replaced_delete(void)
{
	return unlikely(_ZdlPv != cxx_delete);
}

static inline bool replaced_delete_array(void)
{
	return unlikely(_ZdaPv != cxx_delete_array) | replaced_delete();
}

static inline bool replaced_delete_aligned(void)
{
	return unlikely(_ZdlPvSt11align_val_t != cxx_delete_aligned);
}

static inline bool replaced_delete_array_aligned(void)
{
	return unlikely(_ZdaPvSt11align_val_t != cxx_delete_array_aligned) |
		replaced_delete_aligned();
}

/* `align` 0 means the plain forms. */
static inline void *cxx_alloc(size_t size, size_t align)
{
	size_t rounded;

	if (!align)
		return mem_malloc(size);
	align = max(align, (size_t)MIN_ALIGN);
	/* A multiple of the alignment, as libstdc++ hands to aligned_alloc. */
	rounded = align_up(size, align);
	if (rounded < size)
		rounded = SIZE_MAX;
	return mem_memalign(align, rounded);
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

static force_inline void *cxx_alloc_or_throw(size_t size, size_t align)
{
	void *ptr = cxx_alloc(size, align);

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

	if (replaced)
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
	if (replaced_new())
		return _Znwm(size);
	return cxx_alloc_or_throw(size, 0);
}

void *cxx_new_aligned(size_t size, size_t align)
{
	return cxx_alloc_or_throw(size, align);
}

void *cxx_new_array_aligned(size_t size, size_t align)
{
	if (replaced_new_aligned())
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
	mem_free(ptr);
}

void cxx_delete_array(void *ptr)
{
	if (replaced_delete())
		_ZdlPv(ptr);
	else
		mem_free(ptr);
}

void _ZdlPvm(void *ptr, SIZED)
{
	if (replaced_delete())
		_ZdlPv(ptr);
	else
		mem_free(ptr);
}

void _ZdaPvm(void *ptr, SIZED)
{
	if (replaced_delete_array())
		_ZdaPv(ptr);
	else
		mem_free(ptr);
}

void _ZdlPvRKSt9nothrow_t(void *ptr, NOTHROW)
{
	if (replaced_delete())
		_ZdlPv(ptr);
	else
		mem_free(ptr);
}

void _ZdaPvRKSt9nothrow_t(void *ptr, NOTHROW)
{
	if (replaced_delete_array())
		_ZdaPv(ptr);
	else
		mem_free(ptr);
}

void cxx_delete_aligned(void *ptr, ALIGNED)
{
	mem_free(ptr);
}

void cxx_delete_array_aligned(void *ptr, size_t align)
{
	if (replaced_delete_aligned())
		_ZdlPvSt11align_val_t(ptr, align);
	else
		mem_free(ptr);
}

void _ZdlPvmSt11align_val_t(void *ptr, SIZED, size_t align)
{
	if (replaced_delete_aligned())
		_ZdlPvSt11align_val_t(ptr, align);
	else
		mem_free(ptr);
}

void _ZdaPvmSt11align_val_t(void *ptr, SIZED, size_t align)
{
	if (replaced_delete_array_aligned())
		_ZdaPvSt11align_val_t(ptr, align);
	else
		mem_free(ptr);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, NOTHROW)
{
	if (replaced_delete_aligned())
		_ZdlPvSt11align_val_t(ptr, align);
	else
		mem_free(ptr);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, NOTHROW)
{
	if (replaced_delete_array_aligned())
		_ZdaPvSt11align_val_t(ptr, align);
	else
		mem_free(ptr);
}
