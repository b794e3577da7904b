/*
 * dlsym-calloc - the dynamic linker allocates while it looks for symbols.
 *
 * 1. The program has a malloc of its own, as tracers have: each function
 *    finds the next one by dlsym, and dlsym (and the dlerror text of a
 *    symbol that is not there) calls back into these.
 * 2. Blocks of the first milliseconds come from a small static buffer.
 */
#include "hard.h"
#include <pthread.h>

static char buffer[65536] __attribute__((aligned(16)));
static size_t buffer_used;
static int nr_calls;

static void *(*volatile next_malloc)(size_t);
static void *(*volatile next_calloc)(size_t, size_t);
static void *(*volatile next_realloc)(void *, size_t);
static void (*volatile next_free)(void *);

static int from_buffer(const void *p)
{
	return (const char *)p >= buffer &&
	       (const char *)p < buffer + sizeof(buffer);
}

static void *take(size_t n)
{
	size_t at = __atomic_fetch_add(&buffer_used, (n + 31) & ~15UL,
				       __ATOMIC_RELAXED);

	if (at + n > sizeof(buffer))
		_exit(6);
	return buffer + at;
}

/* volatile: the headers promise that dlsym calls nothing of this file. */
static __thread volatile int looking;

static void *find(const char *name)
{
	dlsym(RTLD_NEXT, "no_such_function_anywhere");
	dlerror();
	return dlsym(RTLD_NEXT, name);
}

/* All at the first call, whichever that is: dlerror cannot be nested. */
static void find_all(void)
{
	if (next_free || looking)
		return;
	looking = 1;
	next_malloc = (void *(*)(size_t))find("malloc");
	next_calloc = (void *(*)(size_t, size_t))find("calloc");
	next_realloc = (void *(*)(void *, size_t))find("realloc");
	next_free = (void (*)(void *))find("free");
	looking = 0;
}

void *malloc(size_t n)
{
	nr_calls++;
	find_all();
	return looking ? take(n) : next_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	nr_calls++;
	find_all();
	return looking ? take(n * size) : next_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	void *q;

	find_all();
	if (!looking && !from_buffer(p))
		return next_realloc(p, n);
	q = malloc(n);
	if (q && p)
		memcpy(q, p, n);
	return q;
}

void free(void *p)
{
	find_all();
	if (!looking && !from_buffer(p))
		next_free(p);
}

/* dlerror's text is per thread, and freed when the thread ends. */
static void *fail_to_find(void *arg)
{
	char name[300];
	int i;

	for (i = 0; i < 200; i++) {
		const char *text;

		snprintf(name, sizeof(name), "no_such_%0*d", i + 1, i);
		CHECK(!dlsym(RTLD_DEFAULT, name));
		text = dlerror();
		CHECK(text && strstr(text, name));
		CHECK(!dlopen("/no/such/file.so", RTLD_NOW));
		CHECK(dlsym(RTLD_DEFAULT, "dlsym"));
	}
	return arg;
}

int main(void)
{
	pthread_t thread[8];
	size_t before = 0;
	int i, round;

	hard_start(58);
	every_class_once();
	for (round = 0; round < 12; round++) {
		for (i = 0; i < 8; i++)
			CHECK(!pthread_create(&thread[i], NULL, fail_to_find,
					      NULL));
		for (i = 0; i < 8; i++)
			pthread_join(thread[i], NULL);
		if (round == 2)
			before = rss();
	}
	CHECK_OP(rss(), <, before + 2 * MIB);
	CHECK_OP(nr_calls, >, 1000);
	return 0;
}
