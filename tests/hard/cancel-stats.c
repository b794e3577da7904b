/*
 * cancel-stats - a thread is cancelled inside malloc_stats, deferred and
 * asynchronously; the others go on.
 *
 * 1. stderr is a pipe that is full, so that malloc_stats blocks in its write;
 *    it is read only after the cancellation was sent.
 */
#include "hard.h"
#include <pthread.h>

static volatile int nr_calls;
static int pipe_fds[2];
static volatile int draining;

static void *tell(void *arg)
{
	int old;

	pthread_setcanceltype(*(int *)arg, &old);
	for (;;) {
		malloc_stats();
		__atomic_fetch_add(&nr_calls, 1, __ATOMIC_RELAXED);
		if (*(int *)arg == PTHREAD_CANCEL_DEFERRED)
			pthread_testcancel();
	}
	return NULL;
}

static void *drain(void *arg)
{
	char text[4096];

	while (draining)
		if (read(pipe_fds[0], text, sizeof(text)) < 0)
			usleep(200);
	return arg;
}

static void cancel_one(int type, int blocked, unsigned int wait_us)
{
	pthread_t thread, reader;
	int null = open("/dev/null", O_WRONLY), calls = nr_calls;

	dup2(blocked ? pipe_fds[1] : null, 2);
	close(null);
	CHECK(!pthread_create(&thread, NULL, tell, &type));
	if (!blocked)
		while (nr_calls == calls)
			usleep(50);
	usleep(wait_us);
	CHECK(!pthread_cancel(thread));
	draining = 1;
	CHECK(!pthread_create(&reader, NULL, drain, NULL));
	/* Only a cancellation ends it. */
	CHECK(!pthread_join(thread, NULL));
	draining = 0;
	pthread_join(reader, NULL);
	/* No lock was left behind. */
	every_class_once();
	malloc_trim(0);
	null = open("/dev/null", O_WRONLY);
	dup2(null, 2);
	close(null);
	malloc_stats();
}

int main(void)
{
	unsigned int i;

	hard_fd = dup(2);
	hard_start(50);
	CHECK(!pipe(pipe_fds));
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096);
	for (i = 0; i < 60; i++) {
		cancel_one(PTHREAD_CANCEL_DEFERRED, 0, i * 7);
		cancel_one(PTHREAD_CANCEL_ASYNCHRONOUS, 0, i * 7);
	}
	for (i = 0; i < 10; i++) {
		cancel_one(PTHREAD_CANCEL_DEFERRED, 1, 2000);
		cancel_one(PTHREAD_CANCEL_ASYNCHRONOUS, 1, 2000);
	}
	return 0;
}
