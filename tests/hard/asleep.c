/*
 * asleep - a program has had 200 MiB for a while, frees all of it, and makes no
 * call after that: an eighth at most is resident then.
 */
#include "give-back.h"

static struct heap heap;
static pthread_barrier_t barrier;

static void build_blocks(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		void *p = malloc(hide(size));

		CHECK(p);
		memset(p, 1, size);
		heap.block[heap.count++] = p;
	}
}

static void *rest(void *arg)
{
	free(malloc(hide(100UL)));
	pthread_barrier_wait(&barrier);
	return arg;
}

/* What is given back as soon as it was there would only be asked for again: it
 * is had for some times as long as it took to write it. */
static void build(const char *name)
{
	double start = hard_now();

	if (strstr(name, "large"))
		build_blocks(100, 2 * MIB);
	else if (strstr(name, "small"))
		build_blocks(GIVE_BACK_BLOCKS, 500);
	else
		heap_build(&heap);
	usleep((unsigned int)(4e6 * (hard_now() - start)));
}

static void run_case(const char *name)
{
	int threads = strstr(name, "threads") != NULL;
	size_t baseline, peak, left;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	heap_init(&heap, 200 * MIB, 77);
	free(malloc(hide(1UL)));
	if (threads)
		CHECK(!pthread_create(&thread, NULL, rest, NULL));
	baseline = rss();
	build(name);
	peak = rss();
	CHECK_OP(peak, >, baseline + 150 * MIB);
	heap_free(&heap);
	left = rss();
	CHECK_OP(left, <, baseline + (peak - baseline) / 8);
	if (threads) {
		pthread_barrier_wait(&barrier);
		pthread_join(thread, NULL);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"mixed", "small", "large", "large-threads",
	};

	hard_start(50);
	if (argc > 1) {
		run_case(argv[1]);
		return 0;
	}
	for (size_t i = 0; i < array_size(names); i++)
		hard_case(names[i]);
	return 0;
}
