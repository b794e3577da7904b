/*
 * shim - Google Benchmark for programs written in C.
 *
 * 1. A row is registered once, before shim_main. Its name is used as it is;
 *    with more than one thread "/threads:N" is added. Names are stable:
 *    results are compared by them.
 * 2. `run` is called in each of the row's threads, several times, until the
 *    row has taken long enough. All that is to be timed stands in one loop,
 *    `while (shim_keep_running(state, n))`, which `run` must come to: threads
 *    wait for each other where it begins and where it ends.
 * 3. The loop's body counts as n iterations. What is reported is the time of
 *    one, with threads that of all of them together: the wall time over the
 *    sum of their iterations.
 * 4. Nothing here allocates between the loop's begin and end.
 * 5. `setup` and `teardown` are called before and after each call of `run`,
 *    once for all threads, by the main thread.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHIM_MAX_RANGES	4
#define SHIM_MAX_HOOKED	64	/* rows that have setup or teardown */

struct shim_state;

struct shim_bench {
	const char *name;			/* is copied */
	void (*run)(struct shim_state *state);
	void (*setup)(const struct shim_bench *bench);		/* or NULL */
	void (*teardown)(const struct shim_bench *bench);	/* or NULL */
	int64_t range[SHIM_MAX_RANGES];		/* what `run` goes by */
	int threads;				/* at least 1 */
};

enum shim_counter {
	SHIM_PLAIN,	/* the sum over the threads */
	SHIM_RATE,	/* that, per second */
	SHIM_AVERAGE,	/* of the threads */
};

void shim_register(const struct shim_bench *bench);

/* A line of the report's head. */
void shim_add_context(const char *key, const char *value);

/* Takes Google Benchmark's arguments. Returns the exit status: 1 when a row
 * has failed or none was chosen, 2 for arguments that it does not know. */
int shim_main(int argc, char **argv);

/* For `run`. */
bool shim_keep_running(struct shim_state *state, int64_t n);
int64_t shim_range(const struct shim_state *state, unsigned int i);
int shim_thread_index(const struct shim_state *state);
int shim_threads(const struct shim_state *state);

/* Stops and starts this thread's clock inside the loop; together they add
 * about a microsecond to what is timed. */
void shim_pause(struct shim_state *state);
void shim_resume(struct shim_state *state);

/* The row is reported as failed; the next shim_keep_running ends the loop. */
void shim_skip_with_error(struct shim_state *state, const char *message);

/* After the loop: this thread's iterations, and what is shown beside the
 * time. Bytes and items are shown per second. */
int64_t shim_iterations(const struct shim_state *state);
void shim_set_counter(struct shim_state *state, const char *name, double value,
		      enum shim_counter kind);
void shim_set_bytes_processed(struct shim_state *state, int64_t bytes);
void shim_set_items_processed(struct shim_state *state, int64_t items);

#ifdef __cplusplus
}
#endif

#endif
