/* run: options deepbind=1 */
/*
 * foreign - pointers of other allocators of the process given to free,
 * realloc and malloc_usable_size: they are handed to whoever manages them.
 *
 * 1. The others are glibc's own malloc, met through its handle and through a
 *    library bound by RTLD_DEEPBIND, and that of a second libc (dlmopen).
 * 2. "Handed on" is more than "accepted": their count of live bytes falls,
 *    and nothing grows over many rounds.
 */
#include "hard.h"
#include <pthread.h>

struct other {
	const char *name;
	void *(*malloc)(size_t);
	void *(*memalign)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	size_t (*in_use)(void);		/* NULL: use mallinfo2 */
	struct mallinfo2 (*mallinfo2)(void);
	int (*mallopt)(int, int);
};

static const size_t sizes[] = { 1, 24, 100, 1000, 2000, 5000, 70000, 127000,
				200000, MIB, 5 * MIB, 40 * MIB };

static size_t in_use(const struct other *other)
{
	struct mallinfo2 info;

	if (other->in_use)
		return other->in_use();
	info = other->mallinfo2();
	return info.uordblks + info.hblkhd;
}

static void check_each_size(const struct other *other)
{
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		size_t n = sizes[i];
		char *p = other->malloc(n), *q = other->malloc(n);
		char *r = other->memalign(256, n), *s;

		CHECK(p && q && r);
		fill(p, n, i);
		fill(q, n, i + 1);
		fill(r, n, i + 2);
		errno = 777;
		CHECK_OP(malloc_usable_size(p), >=, n);
		CHECK_OP(malloc_usable_size(p), <, n + 8192);
		CHECK_OP(malloc_usable_size(r), >=, n);
		free(q);
		CHECK_EQ(errno, 777);
		/* Grown, shrunk, and to nothing. */
		p = realloc(p, n * 3 + 100);
		CHECK(p);
		VERIFY(p, n, i);
		p = realloc(p, n);
		CHECK(p);
		VERIFY(p, n, i);
		r = realloc(r, n / 2 + 1);
		CHECK(r);
		VERIFY_PART(r, n / 2, n, i + 2);
		s = other->malloc(n);
		CHECK(!realloc(s, hide(0UL)));
		s = other->malloc(n);
		fill(s, n, 9);
		CHECK(!realloc(s, hide((size_t)PTRDIFF_MAX + 1)));
		CHECK_EQ(errno, ENOMEM);
		VERIFY(s, n, 9);
		free(s);
		free(p);
		free(r);
	}
}

enum { NR_HANDED = 60 };

static void *handed[NR_HANDED];

static void take_all(const struct other *other, size_t n)
{
	int i;

	for (i = 0; i < NR_HANDED; i++) {
		handed[i] = other->malloc(n);
		CHECK(handed[i]);
		*(char *)handed[i] = 1;
	}
}

static void free_all(void)
{
	int i;

	for (i = 0; i < NR_HANDED; i++)
		free(handed[i]);
}

/* Above what caches per thread keep, so that the figure moves at once. */
static void check_handed_on(const struct other *other, size_t n)
{
	size_t before = in_use(other);

	take_all(other, n);
	CHECK_OP(in_use(other), >=, before + NR_HANDED * n);
	free_all();
	if (in_use(other) > before + n)
		hard_say("%s: %zu bytes\n", other->name, n);
	CHECK_OP(in_use(other), <=, before + n);
}

/* A block that is mapped alone belongs to nobody's heap: it is unmapped. */
static void check_unmapped(const struct other *other)
{
	size_t before = hard_status("VmSize:");

	take_all(other, 2 * MIB);
	CHECK_OP(hard_status("VmSize:"), >=, before + NR_HANDED * MIB);
	free_all();
	CHECK_OP(hard_status("VmSize:"), <=, before + 16 * MIB);
}

static void check_no_growth(const struct other *other)
{
	uint64_t seed = 5;
	size_t before = 0;
	int i;

	for (i = 0; i < 30000; i++) {
		char *p = other->malloc(rnd_size(&seed, 16, 4000));
		char *q = other->malloc(rnd_size(&seed, 16, 4000));

		p[0] = q[0] = 1;
		if (i % 3 == 0)
			q = realloc(q, rnd_size(&seed, 16, 9000));
		free(p);
		free(q);
		if (i == 3000)
			before = rss();
	}
	CHECK_OP(rss(), <, before + 2 * MIB);
}

static const struct other *in_thread;

/* Blocks of an arena of glibc's that is not the main one. */
static void *body(void *arg)
{
	void **p = arg;
	int i;

	for (i = 0; i < 100; i++)
		p[i] = in_thread->malloc((size_t)i * 40 + 1);
	check_each_size(in_thread);
	return NULL;
}

static void check_threads(const struct other *other)
{
	static void *p[2][100];
	pthread_t thread[2];
	int i, k;

	in_thread = other;
	for (i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, p[i]));
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++)
		for (k = 0; k < 100; k++) {
			CHECK_OP(malloc_usable_size(p[i][k]), >=, k * 40 + 1);
			if (k % 2)
				free(p[i][k]);
			else
				free(realloc(p[i][k], 3000));
		}
}

static void check_other(const struct other *other)
{
	/* From here on constant: what is larger is mapped alone. */
	CHECK_EQ(other->mallopt(M_MMAP_THRESHOLD, 128 * 1024), 1);
	check_each_size(other);
	check_handed_on(other, 2000);
	check_handed_on(other, 30000);
	check_unmapped(other);
	check_no_growth(other);
	check_threads(other);
	every_class_once();
}

#define FROM(handle, type, name) \
	((type)hard_symbol(handle, __FILE__, __LINE__, name))

static struct other from_libc(void *handle, const char *name)
{
	struct other other = { .name = name };

	other.malloc = FROM(handle, void *(*)(size_t), "malloc");
	other.memalign = FROM(handle, void *(*)(size_t, size_t), "memalign");
	other.realloc = FROM(handle, void *(*)(void *, size_t), "realloc");
	other.free = FROM(handle, void (*)(void *), "free");
	other.mallinfo2 = FROM(handle, struct mallinfo2 (*)(void),
			       "mallinfo2");
	other.mallopt = FROM(handle, int (*)(int, int), "mallopt");
	return other;
}

static struct other from_plugin(void *handle, const char *name)
{
	struct other other = { .name = name };

	other.malloc = FROM(handle, void *(*)(size_t), "plugin_malloc");
	other.memalign = FROM(handle, void *(*)(size_t, size_t),
			      "plugin_memalign");
	other.realloc = FROM(handle, void *(*)(void *, size_t),
			     "plugin_realloc");
	other.free = FROM(handle, void (*)(void *), "plugin_free");
	other.in_use = FROM(handle, size_t (*)(void), "plugin_in_use");
	other.mallopt = FROM(handle, int (*)(int, int), "plugin_mallopt");
	return other;
}

int main(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *deep = dlopen(hard_beside("plugin.so"),
			    RTLD_NOW | RTLD_DEEPBIND);
	void *second = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	struct other other;

	hard_start(55);
	CHECK(libc);
	CHECK(deep);
	CHECK(second);
	other = from_libc(libc, "glibc");
	check_other(&other);
	other = from_plugin(deep, "RTLD_DEEPBIND");
	check_other(&other);
	/* strdup of a library that is bound elsewhere: freed by the program. */
	free(FROM(deep, char *(*)(const char *), "plugin_strdup")("word"));
	other = from_libc(second, "dlmopen");
	check_other(&other);
	return 0;
}
