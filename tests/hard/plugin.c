/*
 * plugin - a shared object for the programs that dlopen one: it allocates in
 * its constructor and per thread, and frees in its destructor. Built as
 * plugin.so in the folder of the programs.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void *plugin_malloc(size_t n);
void *plugin_memalign(size_t align, size_t n);
void *plugin_realloc(void *p, size_t n);
void plugin_free(void *p);
char *plugin_strdup(const char *s);
size_t plugin_in_use(void);
int plugin_mallopt(int param, int value);
int plugin_thread_work(int n);
int plugin_at_fork(int *count);

static char *table[100];
static __thread char *mine;

/* PLUGIN_CALLS may name a function of the program by its address. */
__attribute__((constructor)) static void plugin_start(void)
{
	const char *calls = getenv("PLUGIN_CALLS");
	size_t i;

	if (calls)
		((void (*)(void))strtoul(calls, NULL, 16))();
	for (i = 0; i < 100; i++) {
		table[i] = malloc(i * 50 + 1);
		memset(table[i], (int)i, i * 50 + 1);
	}
}

__attribute__((destructor)) static void plugin_end(void)
{
	size_t i;

	for (i = 0; i < 100; i++) {
		if (table[i][i * 50] != (char)i)
			abort();
		free(table[i]);
	}
}

void *plugin_malloc(size_t n)
{
	return malloc(n);
}

void *plugin_memalign(size_t align, size_t n)
{
	return memalign(align, n);
}

void *plugin_realloc(void *p, size_t n)
{
	return realloc(p, n);
}

void plugin_free(void *p)
{
	free(p);
}

char *plugin_strdup(const char *s)
{
	return strdup(s);
}

/* What the allocator that this object is bound to counts as live. */
size_t plugin_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

int plugin_mallopt(int param, int value)
{
	return mallopt(param, value);
}

int plugin_thread_work(int n)
{
	free(mine);
	mine = calloc((size_t)n, 100);
	if (!mine || mine[0])
		return -1;
	mine[0] = 1;
	return n;
}

static int *nr_forks;

static void count_fork(void)
{
	++*nr_forks;
}

/* Counts forks as long as this object is there. */
int plugin_at_fork(int *count)
{
	nr_forks = count;
	return pthread_atfork(count_fork, NULL, NULL);
}
