/*
 * fork - of a process with a heap.
 *
 *	fork/exit/MIB	the child ends at once
 *	fork/work/MIB	the child replaces 1000 blocks before it ends
 *
 * 1. A row reports nanoseconds for fork, the child's life and waitpid.
 * 2. The heap has MIB MiB in blocks of 1000 bytes, each page of them written;
 *    it is built before the clock starts.
 * 3. Only one thread forks: there are no rows with more.
 */
#include "rows.h"

#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_SIZE	1000	/* bytes */
#define NR_REPLACED	1000	/* blocks, spread over the heap */

static struct {
	size_t nr_blocks;
	void **block;
} heap;

static void build_heap(const struct shim_bench *bench)
{
	heap.nr_blocks = ((size_t)bench->range[0] << 20) / BLOCK_SIZE;
	heap.block = micro_map(heap.nr_blocks * sizeof(void *));
	for (size_t i = 0; i < heap.nr_blocks; i++)
		heap.block[i] = micro_use(malloc(BLOCK_SIZE));
}

static void drop_heap(const struct shim_bench *bench)
{
	(void)bench;
	for (size_t i = 0; i < heap.nr_blocks; i++)
		free(heap.block[i]);
	micro_unmap(heap.block, heap.nr_blocks * sizeof(void *));
}

static void replace_some(void)
{
	size_t apart = heap.nr_blocks / NR_REPLACED;

	for (size_t i = 0; i < NR_REPLACED; i++) {
		free(heap.block[i * apart]);
		heap.block[i * apart] = micro_use(malloc(BLOCK_SIZE));
	}
}

static bool fork_once(bool works)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (works)
			replace_some();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void run_fork(struct shim_state *state)
{
	bool works = shim_range(state, 1);

	while (shim_keep_running(state, 1))
		if (!fork_once(works))
			shim_skip_with_error(state, "no child, or it failed");
}

void fork_add_rows(int threads)
{
	static const int64_t mib[] = { 1, 256 };
	struct shim_bench row = {
		.run = run_fork,
		.setup = build_heap,
		.teardown = drop_heap,
		.threads = 1,
	};

	if (threads > 1)
		return;
	for (size_t i = 0; i < array_size(mib); i++) {
		row.range[0] = mib[i];
		row.name = "fork/exit";
		row.range[1] = false;
		micro_add(&row);
		row.name = "fork/work";
		row.range[1] = true;
		micro_add(&row);
	}
}
