/*
 * cxx_runtime - throwing and catching C++ exceptions from C.
 *
 * 1. A weak reference is bound when this library is loaded. A C++ runtime
 *    that came later, with a plugin of a C program, is searched among the
 *    loaded objects: that of whoever called the operator, if it has one of its
 *    own (linked with -static-libstdc++), else a library that is known to be
 *    one, else any.
 * 2. C has no catch. cxx_catch gives its frame a personality routine, which
 *    the unwinder asks whether the frame handles an exception; it says yes,
 *    and leaves by longjmp.
 * 3. Without dlopen and dlsym: a static link would warn about them.
 */
#include <setjmp.h>
#include <unwind.h>

#include "base/print.h"
#include "interpose/cxx_runtime.h"
#include "os/elf.h"

#define WEAK	__attribute__((weak))

/* DWARF: a pc-relative address of 4 bytes, signed. */
#define EH_PCREL_SDATA4	"0x1b"

extern void (*_ZSt15get_new_handlerv(void))(void) WEAK;
extern void *__cxa_allocate_exception(size_t size) WEAK;
extern void __cxa_throw(void *object, void *type, void (*destroy)(void *))
	WEAK;
extern void *__cxa_begin_catch(void *exception) WEAK;
extern void __cxa_end_catch(void) WEAK;
extern char _ZTISt9bad_alloc[] WEAK;
extern void *_ZTVSt9bad_alloc[] WEAK;
extern void _ZNSt9bad_allocD1Ev(void *object) WEAK;
extern void *_ZTISt9exception[] WEAK;
extern void *_ZTVN10__cxxabiv120__si_class_type_infoE[] WEAK;

/* Where a call of cxx_catch goes when its callee throws. */
struct catcher {
	jmp_buf env;
	struct cxx_runtime runtime;
	struct catcher *outer;
};

static __thread struct catcher *innermost;

static bool runtime_complete(const struct cxx_runtime *rt)
{
	return rt->get_new_handler && rt->allocate_exception &&
		rt->throw_exception && rt->bad_alloc_type &&
		rt->bad_alloc_vtable && rt->bad_alloc_destroy &&
		rt->begin_catch && rt->end_catch;
}

/* Data and functions alike: on our machines both are plain addresses. */
#define FIND(field, object, name) \
	((field) = (__typeof__(field))elf_find_symbol(object, name))

/* False: the object has not all of it, and *rt is as it was. */
static bool runtime_read(struct cxx_runtime *rt,
			 const struct elf_object *object)
{
	struct cxx_runtime found;

	FIND(found.get_new_handler, object, "_ZSt15get_new_handlerv");
	FIND(found.allocate_exception, object, "__cxa_allocate_exception");
	FIND(found.throw_exception, object, "__cxa_throw");
	FIND(found.bad_alloc_type, object, "_ZTISt9bad_alloc");
	FIND(found.bad_alloc_vtable, object, "_ZTVSt9bad_alloc");
	FIND(found.bad_alloc_destroy, object, "_ZNSt9bad_allocD1Ev");
	FIND(found.begin_catch, object, "__cxa_begin_catch");
	FIND(found.end_catch, object, "__cxa_end_catch");
	if (!runtime_complete(&found))
		return false;
	*rt = found;
	return true;
}

struct search {
	struct cxx_runtime *runtime;
	uintptr_t caller;
};

static bool is_callers(const struct elf_object *object, void *what)
{
	const struct search *search = what;

	return elf_object_holds(object, search->caller) &&
	       runtime_read(search->runtime, object);
}

static bool is_any(const struct elf_object *object, void *what)
{
	const struct search *search = what;

	return runtime_read(search->runtime, object);
}

static void runtime_search(struct cxx_runtime *rt, const void *caller)
{
	static const char *const names[] = {
		"libstdc++.so.6", "libc++abi.so.1",
	};
	const struct r_debug_extended *space = elf_next_space(NULL);
	struct search search = { rt, (uintptr_t)caller };
	struct elf_object object;

	if (!space || elf_find_wanted(space, is_callers, &search))
		return;
	for (size_t i = 0; i < array_size(names); i++)
		if (elf_find_object(space, names[i], &object) &&
		    runtime_read(rt, &object))
			return;
	elf_find_wanted(space, is_any, &search);
}

static void bad_alloc_destroy(void *object __attribute__((unused)))
{
}

static const char *bad_alloc_what(const void *object __attribute__((unused)))
{
	return "std::bad_alloc";
}

/*
 * A static program can have all the machinery of exceptions, but not
 * std::bad_alloc, when it never names that class: it catches its bases or
 * everything. For those this makes one, as a C++ compiler lays it out.
 */
static void runtime_make_bad_alloc(struct cxx_runtime *rt)
{
	/* std::type_info of a class with one base */
	static struct {
		void **vtable;
		const char *name;
		void *base;
	} type;
	/* offset to the top, type; destructor twice, what() */
	static void *const vtable[] = {
		NULL, &type, (void *)bad_alloc_destroy,
		(void *)bad_alloc_destroy, (void *)bad_alloc_what,
	};

	/* Threads that come here together all write the same. */
	type.name = "St9bad_alloc";
	type.vtable = _ZTVN10__cxxabiv120__si_class_type_infoE + 2;
	type.base = _ZTISt9exception;
	rt->bad_alloc_type = &type;
	rt->bad_alloc_vtable = vtable;
	rt->bad_alloc_destroy = bad_alloc_destroy;
}

void cxx_runtime_find(struct cxx_runtime *rt, const void *caller)
{
	*rt = (struct cxx_runtime) {
		.get_new_handler = _ZSt15get_new_handlerv,
		.allocate_exception = __cxa_allocate_exception,
		.throw_exception = __cxa_throw,
		.bad_alloc_type = _ZTISt9bad_alloc,
		.bad_alloc_vtable = _ZTVSt9bad_alloc,
		.bad_alloc_destroy = _ZNSt9bad_allocD1Ev,
		.begin_catch = __cxa_begin_catch,
		.end_catch = __cxa_end_catch,
	};
	if (rt->throw_exception && !rt->bad_alloc_type && _ZTISt9exception &&
	    _ZTVN10__cxxabiv120__si_class_type_infoE)
		runtime_make_bad_alloc(rt);
	else if (!runtime_complete(rt))
		runtime_search(rt, caller);
}

_Noreturn void cxx_throw_bad_alloc(const struct cxx_runtime *rt, size_t size)
{
	void **object;

	if (rt->throw_exception && rt->allocate_exception &&
	    rt->bad_alloc_type && rt->bad_alloc_vtable) {
		/* A std::bad_alloc is a pointer to its first virtual function,
		 * which two words of its vtable stand before. */
		object = rt->allocate_exception(sizeof(*object));
		*object = (void *)(uintptr_t)(rt->bad_alloc_vtable + 2);
		rt->throw_exception(object, rt->bad_alloc_type,
				    rt->bad_alloc_destroy);
	}
	print_fatal("operator new: no memory for %zu bytes, "
		    "and no C++ library to throw std::bad_alloc", size);
}

/*
 * The personality of call_guarded. In the search phase it claims every
 * exception; when the frames below have been cleaned up, it ends the
 * exception as a catch (...) would, and leaves.
 */
static _Unwind_Reason_Code
cxx_personality(int version, _Unwind_Action actions,
		_Unwind_Exception_Class exception_class,
		struct _Unwind_Exception *exception,
		struct _Unwind_Context *context)
{
	struct catcher *catcher = innermost;

	(void)version;
	(void)exception_class;
	(void)context;
	if (actions & _UA_FORCE_UNWIND)
		return _URC_CONTINUE_UNWIND;
	if (actions & _UA_SEARCH_PHASE)
		return _URC_HANDLER_FOUND;
	if (catcher->runtime.begin_catch && catcher->runtime.end_catch) {
		catcher->runtime.begin_catch(exception);
		catcher->runtime.end_catch();
	}
	longjmp(catcher->env, 1);
}

/* Has no branch, so that the compiler keeps it in one piece. */
static cold_path void *call_guarded(cxx_call *call, size_t size, size_t align)
{
	void *ptr;

	__asm__ volatile(".cfi_personality " EH_PCREL_SDATA4 ", %c0"
			 : : "i" (cxx_personality));
	ptr = call(size, align);
	/* The call is not the last thing here, so the frame stays. */
	__asm__ volatile("" : "+r" (ptr));
	return ptr;
}

void *cxx_catch(cxx_call *call, size_t size, size_t align,
		const void *caller)
{
	struct catcher catcher = { .outer = innermost };
	void *ptr;

	cxx_runtime_find(&catcher.runtime, caller);
	innermost = &catcher;
	if (_setjmp(catcher.env))
		ptr = NULL;
	else
		ptr = call_guarded(call, size, align);
	innermost = catcher.outer;
	return ptr;
}
