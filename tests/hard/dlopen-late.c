/* run: no-preload */
/*
 * dlopen-late - the library is loaded by a running program of several
 * threads and used through dlsym beside the malloc that the program has.
 */
#include "hard.h"
#include <pthread.h>

struct zbm {
	void *handle;
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
	size_t (*usable)(void *);
	void (*free)(void *);
};

static struct zbm zbm;
static pthread_barrier_t barrier;
static void *handed[9][200];

static void zbm_open(int flags)
{
	const char *path = getenv("ZBM_LIB");

	CHECK(path);
	zbm.handle = dlopen(path, flags);
	if (!zbm.handle) {
		hard_say("dlopen: %s\n", dlerror());
		_exit(1);
	}
#define SYMBOL(name) hard_symbol(zbm.handle, __FILE__, __LINE__, name)
	zbm.malloc = (void *(*)(size_t))SYMBOL("malloc");
	zbm.calloc = (void *(*)(size_t, size_t))SYMBOL("calloc");
	zbm.realloc = (void *(*)(void *, size_t))SYMBOL("realloc");
	zbm.memalign = (void *(*)(size_t, size_t))SYMBOL("memalign");
	zbm.usable = (size_t (*)(void *))SYMBOL("malloc_usable_size");
	zbm.free = (void (*)(void *))SYMBOL("free");
#undef SYMBOL
	CHECK(zbm.malloc != malloc);
}

static void zbm_work(unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < 2 * NR_CLASS_SIZES; i++) {
		size_t n = class_size(i % NR_CLASS_SIZES);
		char *p = zbm.malloc(n), *q = zbm.calloc(n, 1), *r = malloc(n);

		CHECK(p && q && r);
		CHECK_EQ(q[0] | q[n - 1], 0);
		fill(p, n, seed + i);
		fill(r, n, seed + i + 1);
		q = zbm.realloc(q, n * 2);
		CHECK_OP(zbm.usable(q), >=, n * 2);
		q[n * 2 - 1] = 1;
		VERIFY(p, n, seed + i);
		zbm.free(p);
		p = zbm.memalign(4096, n);
		CHECK_EQ((uintptr_t)p % 4096, 0);
		VERIFY(r, n, seed + i + 1);
		zbm.free(p);
		zbm.free(q);
		free(r);
	}
}

/* Blocks go from each thread to the next one and are freed there. */
static void *body(void *arg)
{
	size_t me = (size_t)arg;
	unsigned int i, round;

	pthread_barrier_wait(&barrier);	/* the library is there from here on */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 200; i++) {
			handed[me][i] = zbm.malloc(i * 30 + 1);
			fill(handed[me][i], i * 30 + 1, (unsigned int)me);
		}
		zbm_work((unsigned int)me);
		pthread_barrier_wait(&barrier);
		for (i = 0; i < 200; i++) {
			VERIFY(handed[(me + 1) % 9][i], i * 30 + 1,
			       (unsigned int)((me + 1) % 9));
			zbm.free(handed[(me + 1) % 9][i]);
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* The program's own malloc is another one: its blocks are passed on. */
static void check_foreign_blocks(void)
{
	static const size_t sizes[] = { 24, 5000, MIB };
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		char *p = malloc(sizes[i]);

		fill(p, sizes[i], i);
		CHECK_OP(zbm.usable(p), >=, sizes[i]);
		p = zbm.realloc(p, sizes[i] * 3);
		CHECK(p);
		VERIFY(p, sizes[i], i);
		zbm.free(p);
		zbm.free(malloc(sizes[i]));
	}
}

static void run_case(int flags)
{
	pthread_t thread[8];
	size_t i;
	pid_t pid;

	pthread_barrier_init(&barrier, NULL, 9);
	for (i = 0; i < 4; i++)		/* older than the library */
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	zbm_open(flags);
	zbm_work(0);
	for (; i < 8; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	body((void *)i);
	for (i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	check_foreign_blocks();
	pid = fork();
	if (!pid) {
		zbm_work(7);
		every_class_once();
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
}

/* Opened and closed again and again, with blocks that outlive it or not. */
static void run_loop(void)
{
	int i;

	for (i = 0; i < 40; i++) {
		zbm_open(i % 2 ? RTLD_LAZY : RTLD_NOW | RTLD_LOCAL);
		zbm_work((unsigned int)i);
		CHECK(!dlclose(zbm.handle));
		every_class_once();
	}
	CHECK_OP(rss(), <, 64 * MIB);
}

int main(int argc, char **argv)
{
	hard_limit(58);
	if (argc == 1) {
		hard_case("local");
		hard_case("global");
		hard_case("deep");
		hard_case("loop");
	} else if (!strcmp(argv[1], "local")) {
		run_case(RTLD_NOW | RTLD_LOCAL);
	} else if (!strcmp(argv[1], "global")) {
		run_case(RTLD_LAZY | RTLD_GLOBAL);
	} else if (!strcmp(argv[1], "deep")) {
		run_case(RTLD_NOW | RTLD_DEEPBIND);
	} else {
		run_loop();
	}
	return 0;
}
