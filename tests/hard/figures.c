/*
 * figures - mallinfo, mallinfo2, malloc_info, malloc_stats, mallopt and
 * malloc_trim: they tell the truth, and what they write is well-formed.
 */
#include "hard.h"
#include <ctype.h>
#include <limits.h>
#include <pthread.h>

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void check_moves(size_t size, unsigned int n)
{
	void **p = hard_map(n * sizeof(*p));
	size_t before = in_use(), during, total = n * size;
	unsigned int i;

	for (i = 0; i < n; i++) {
		p[i] = malloc(hide(size));
		CHECK(p[i]);
		*(char *)p[i] = 1;
	}
	during = in_use();
	CHECK_OP(during, >=, before + total - total / 16);
	CHECK_OP(during, <=, before + total + total / 2 + 4 * MIB);
	for (i = 0; i < n; i++)
		free(p[i]);
	CHECK_OP(in_use(), <=, before + total / 16 + MIB);
}

static void test_mallinfo2_follows_what_is_live(void)
{
	struct mallinfo2 info;
	void *p;

	check_moves(24, 400000);
	check_moves(500, 40000);
	check_moves(5000, 4000);
	check_moves(100000, 300);
	check_moves(MIB, 50);
	check_moves(20 * MIB, 3);
	p = malloc(hide(3 * MIB));
	info = mallinfo2();
	CHECK_OP(info.arena + info.hblkhd, >=, info.uordblks);
	CHECK_OP(info.arena + info.hblkhd, <, 1UL << 40);
	CHECK_OP(info.fordblks, <, 1UL << 40);
	CHECK_OP(in_use(), >=, 3 * MIB);
	free(p);
}

/* What the old figure must say of the new one. */
static void check_figure(int old, size_t new)
{
	CHECK_EQ(old, new < INT_MAX ? new : INT_MAX);
}

static void check_mallinfo(void)
{
	/* Not by its name: the header calls it deprecated. */
	struct mallinfo old = API(struct mallinfo (*)(void), "mallinfo")();
	struct mallinfo2 new = mallinfo2();

	check_figure(old.arena, new.arena);
	check_figure(old.ordblks, new.ordblks);
	check_figure(old.smblks, new.smblks);
	check_figure(old.hblks, new.hblks);
	check_figure(old.hblkhd, new.hblkhd);
	check_figure(old.usmblks, new.usmblks);
	check_figure(old.fsmblks, new.fsmblks);
	check_figure(old.uordblks, new.uordblks);
	check_figure(old.fordblks, new.fordblks);
	check_figure(old.keepcost, new.keepcost);
}

/* Memory that is not touched costs address space alone. */
static void test_mallinfo_ends_where_an_int_does(void)
{
	void *p;

	check_mallinfo();
	p = malloc(hide(5 * GIB));
	if (!p) {
		hard_say("5 GiB are not to be had: the end of an int is not "
			 "tried\n");
		return;
	}
	CHECK_OP(in_use(), >, 5 * GIB - 1);
	check_mallinfo();
	free(p);
}

static pthread_barrier_t barrier;

static void *hold_ten_mib(void *arg)
{
	static void *p[10000];
	unsigned int i;

	for (i = 0; i < array_size(p); i++)
		p[i] = malloc(hide(1048UL));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < array_size(p); i++)
		free(p[i]);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void test_mallinfo2_counts_other_threads(void)
{
	size_t before = in_use();
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, hold_ten_mib, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_OP(in_use(), >=, before + 9 * MIB);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	CHECK_OP(in_use(), <, before + 2 * MIB);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

/* A small checker: tags are balanced, attributes quoted, no stray '<' '&'. */
static void check_xml(const char *s)
{
	static char stack[64][32];
	int depth = 0, elements = 0;

	while (*s) {
		const char *end;
		size_t n;

		if (*s != '<') {
			CHECK(*s != '&' && *s != '>');
			CHECK(depth > 0 || isspace((unsigned char)*s));
			s++;
			continue;
		}
		if (!strncmp(s, "<!--", 4) || !strncmp(s, "<?", 2)) {
			end = strstr(s, s[1] == '!' ? "-->" : "?>");
			CHECK(end);
			s = end + 2 + (s[1] == '!');
			continue;
		}
		end = strchr(s, '>');
		CHECK(end);
		n = strcspn(s + 1, " \t\n/>");
		if (s[1] == '/') {
			n = strcspn(s + 2, " \t\n>");
			CHECK(depth > 0);
			depth--;
			CHECK_EQ(strlen(stack[depth]), n);
			CHECK(!strncmp(stack[depth], s + 2, n));
		} else {
			const char *c;
			int quotes = 0;

			CHECK(n > 0 && n < 32 && depth < 64);
			CHECK(depth > 0 || !elements++);
			for (c = s + 1 + n; c < end; c++) {
				quotes += *c == '"';
				CHECK(*c != '<' && *c != '&');
				CHECK(*c != '=' || c[1] == '"');
			}
			CHECK_EQ(quotes % 2, 0);
			if (end[-1] != '/') {
				memcpy(stack[depth], s + 1, n);
				stack[depth++][n] = 0;
			}
		}
		s = end + 1;
	}
	CHECK_EQ(depth, 0);
	CHECK_EQ(elements, 1);
}

/* To a memory stream and to a file, in order with the program's own text. */
static void test_malloc_info_is_well_formed_xml(void)
{
	static char text[1 << 20];
	char *memory = NULL;
	size_t size = 0, n;
	FILE *stream = open_memstream(&memory, &size);
	FILE *file = tmpfile();

	CHECK(stream && file);
	CHECK_EQ(malloc_info(0, stream), 0);
	fclose(stream);
	CHECK_OP(size, >, 20);
	CHECK(strstr(memory, "<malloc"));
	check_xml(memory);
	free(memory);

	fprintf(file, "<!-- before -->");
	CHECK_EQ(malloc_info(0, file), 0);
	fprintf(file, "<!-- after -->");
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = 0;
	CHECK(!strncmp(text, "<!-- before -->", 15));
	CHECK(n > 50 && !strcmp(text + n - 14, "<!-- after -->"));
	check_xml(text);

	CHECK_EQ(malloc_info(1, file), EINVAL);
	fclose(file);
}

static void test_malloc_stats_writes_to_stderr(void)
{
	char text[8192];
	int fds[2];
	ssize_t n;

	CHECK(!pipe(fds));
	hard_fd = dup(2);
	dup2(fds[1], 2);
	malloc_stats();
	dup2(hard_fd, 2);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	close(fds[0]);
	CHECK(!strncmp(text, "calls ", 6));
	CHECK(strstr(text, "\nlive "));
	CHECK(strstr(text, "\nnode 0, zone Normal: "));
}

static void test_mallopt_accepts_what_glibc_accepts(void)
{
	CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
	CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 1 << 20), 1);
	CHECK_EQ(mallopt(M_TOP_PAD, 4096), 1);
	CHECK_EQ(mallopt(M_MMAP_MAX, 1000), 1);
	CHECK_EQ(mallopt(M_ARENA_MAX, 2), 1);
}

static void test_malloc_trim_returns_what_is_free(void)
{
	enum { N = 40 };
	size_t before;
	char *p[N];
	int i, answer;

	malloc_trim(0);
	before = rss();
	for (i = 0; i < N; i++) {
		p[i] = malloc(hide(MIB));
		memset(p[i], 1, MIB);
	}
	CHECK_OP(rss(), >, before + 38 * MIB);
	for (i = 0; i < N; i++)
		free(p[i]);
	answer = malloc_trim(0);
	CHECK_EQ(answer, 1);
	CHECK_OP(rss(), <, before + 2 * MIB);
}

int main(void)
{
	hard_start(58);
	test_mallinfo2_follows_what_is_live();
	test_mallinfo_ends_where_an_int_does();
	test_mallinfo2_counts_other_threads();
	test_malloc_info_is_well_formed_xml();
	test_malloc_stats_writes_to_stderr();
	test_malloc_trim_returns_what_is_free();
	test_mallopt_accepts_what_glibc_accepts();
	return 0;
}
