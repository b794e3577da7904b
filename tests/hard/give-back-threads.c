/*
 * give-back-threads - the same with four threads: each frees its own heap or
 * another's, and then exits or sits idle; main does the small activity.
 */
#include "give-back.h"

static struct heap heaps[4];
static pthread_barrier_t barrier;
static int crossed, stays;

static void *body(void *arg)
{
	size_t me = (size_t)arg;

	heap_build(&heaps[me]);
	pthread_barrier_wait(&barrier);
	/* Main looks at the peak here. */
	pthread_barrier_wait(&barrier);
	heap_free(&heaps[crossed ? (me + 1) % 4 : me]);
	pthread_barrier_wait(&barrier);
	if (stays)
		pthread_barrier_wait(&barrier);
	return NULL;
}

/* What exited threads left is used by the next ones: no new memory. */
static void check_reused(size_t peak)
{
	pthread_t thread[4];
	size_t i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	pthread_barrier_wait(&barrier);
	CHECK_OP(rss(), <, peak + peak / 10);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void run_case(const char *name)
{
	pthread_t thread[4];
	size_t baseline, peak, i;

	crossed = strstr(name, "crossed") != NULL;
	stays = strstr(name, "idle") != NULL;
	pthread_barrier_init(&barrier, NULL, 5);
	for (i = 0; i < 4; i++)
		heap_init(&heaps[i], 50 * MIB, i + 1);
	baseline = rss();
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	pthread_barrier_wait(&barrier);
	peak = rss();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	if (!stays)
		for (i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
	if (!strcmp(name, "exit-trim")) {
		malloc_trim(0);
		CHECK_OP(rss(), <, baseline + (peak - baseline) / 20);
	} else {
		check_falls(baseline, peak);
	}
	if (stays) {
		pthread_barrier_wait(&barrier);
		for (i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
		return;
	}
	check_reused(peak);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"exit", "exit-crossed", "exit-trim", "idle", "idle-crossed",
	};
	unsigned int i;

	hard_start(50);
	if (argc > 1) {
		run_case(argv[1]);
		return 0;
	}
	for (i = 0; i < array_size(names); i++)
		hard_case(names[i]);
	return 0;
}
