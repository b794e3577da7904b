/*
 * zbm-micro - the micro benchmarks of malloc, whichever malloc is under it.
 *
 *	zbm-micro [--benchmark_filter=REGEX] [--benchmark_format=json] ...
 *
 * 1. It calls the C library's names only: LD_PRELOAD decides who serves
 *    them. The report's head names the file that does.
 * 2. All rows of one thread come before those of more: the C library's
 *    allocator is faster until the first thread starts, and in that state
 *    programs of one thread use it. Among them those that start threads, and
 *    those that leave the largest heaps, come last.
 * 3. The rows are independent, but the heap is one: for figures to publish
 *    give each row, by --benchmark_filter='^NAME$', a process of its own.
 */
#include "rows.h"

#include <dlfcn.h>

static void tell_who_serves(void)
{
	/* The program's own `malloc` may be the address of a stub in it. */
	void *serving = dlsym(RTLD_DEFAULT, "malloc");
	Dl_info info;

	shim_add_context("malloc", serving && dladdr(serving, &info) ?
				   info.dli_fname : "unknown");
}

int main(int argc, char **argv)
{
	static void (*const add_rows[])(int threads) = {
		pair_add_rows,	  batch_add_rows,   class_add_rows,
		realloc_add_rows, calloc_add_rows,  aligned_add_rows,
		fork_add_rows,	  mixed_add_rows,   handoff_add_rows,
		churn_add_rows,
	};
	int threads[3];
	size_t nr = micro_thread_counts(threads);

	for (size_t i = 0; i < nr; i++)
		for (size_t k = 0; k < array_size(add_rows); k++)
			add_rows[k](threads[i]);
	tell_who_serves();
	return shim_main(argc, argv);
}
