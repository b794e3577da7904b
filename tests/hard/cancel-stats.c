/*
 * cancel-stats - a thread is cancelled inside malloc_stats and malloc_info,
 * deferred and asynchronously; the others go on.
 *
 * 1. stderr and the stream of malloc_info are a pipe that is full, so that a
 *    write blocks; it is read only after the cancellation was sent.
 * 2. A thread that may be cancelled at any place is not while it is inside:
 *    while malloc_stats waits for the pipe the cancellation waits, too, and
 *    what malloc_info calls finds the type deferred.
 */
#include "hard.h"
#include <pthread.h>

static volatile int nr_calls;
static int pipe_fds[2];
static volatile int draining;

/* Where malloc_info writes; NULL: malloc_stats is called. */
static FILE *stream;

static void *tell(void *arg)
{
	int old;

	pthread_setcanceltype(*(int *)arg, &old);
	for (;;) {
		if (stream)
			malloc_info(0, stream);
		else
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

static void cancel_one(int type, int blocked, unsigned int wait_us, int info)
{
	pthread_t thread, reader;
	int null = open("/dev/null", O_WRONLY), calls = nr_calls;

	dup2(blocked ? pipe_fds[1] : null, 2);
	close(null);
	/* Its buffer is none of the allocator's. */
	stream = info ? fdopen(dup(2), "w") : NULL;
	CHECK(!info == !stream);
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
	if (info)
		fclose(stream);
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

static pid_t teller;	/* 0: it is not about to call */

static void *tell_once(void *arg)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	__atomic_store_n(&teller, gettid(), __ATOMIC_RELEASE);
	malloc_stats();
	/* What was pending comes in here at the latest. */
	pthread_testcancel();
	return arg;
}

/* The thread sleeps; of those here only in a write. */
static int is_asleep(pid_t tid)
{
	char path[64], text[256] = "";
	const char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	at = strrchr(text, ')');
	return at && at[1] == ' ' && at[2] == 'S';
}

static void fill_pipe(void)
{
	static const char zeros[4096];
	int flags = fcntl(pipe_fds[1], F_GETFL);

	fcntl(pipe_fds[1], F_SETFL, flags | O_NONBLOCK);
	while (write(pipe_fds[1], zeros, sizeof(zeros)) > 0)
		;
	while (write(pipe_fds[1], zeros, 1) > 0)
		;
	fcntl(pipe_fds[1], F_SETFL, flags);
}

static void test_stats_are_written_to_their_end(void)
{
	pthread_t thread, reader;
	void *result;

	fill_pipe();
	dup2(pipe_fds[1], 2);
	CHECK(!pthread_create(&thread, NULL, tell_once, NULL));
	while (!__atomic_load_n(&teller, __ATOMIC_ACQUIRE) ||
	       !is_asleep(teller))
		usleep(50);
	CHECK(!pthread_cancel(thread));
	usleep(50000);
	CHECK_EQ(pthread_tryjoin_np(thread, &result), EBUSY);
	draining = 1;
	CHECK(!pthread_create(&reader, NULL, drain, NULL));
	CHECK(!pthread_join(thread, &result));
	CHECK(result == PTHREAD_CANCELED);
	draining = 0;
	pthread_join(reader, NULL);
	dup2(hard_fd, 2);
}

static int nr_written, nr_other;

/* Of a stream without a buffer: called again and again inside malloc_info. The
 * C library's fprintf is deferred by itself, its fputs is not. */
static ssize_t note_type(void *cookie, const char *text, size_t n)
{
	int type;

	(void)cookie;
	(void)text;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	nr_written++;
	nr_other += type != PTHREAD_CANCEL_DEFERRED;
	pthread_setcanceltype(type, &type);
	return (ssize_t)n;
}

static void *inform(void *types)
{
	static const cookie_io_functions_t functions = { .write = note_type };
	FILE *noting = fopencookie(NULL, "w", functions);
	int *type = (int *)types;

	CHECK(noting);
	setvbuf(noting, NULL, _IONBF, 0);
	pthread_setcanceltype(type[0], &type[1]);
	CHECK_EQ(malloc_info(0, noting), 0);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type[1]);
	fclose(noting);
	return types;
}

static void test_info_is_deferred_inside_and_as_before_outside(int type)
{
	int types[2] = { type, -1 };
	pthread_t thread;

	nr_written = nr_other = 0;
	CHECK(!pthread_create(&thread, NULL, inform, types));
	CHECK(!pthread_join(thread, NULL));
	CHECK_OP(nr_written, >, 20);
	CHECK_EQ(nr_other, 0);
	CHECK_EQ(types[1], type);
}

static void cancel_many(int info)
{
	unsigned int i;

	for (i = 0; i < 60; i++) {
		cancel_one(PTHREAD_CANCEL_DEFERRED, 0, i * 7, info);
		cancel_one(PTHREAD_CANCEL_ASYNCHRONOUS, 0, i * 7, info);
	}
	for (i = 0; i < 10; i++) {
		cancel_one(PTHREAD_CANCEL_DEFERRED, 1, 2000, info);
		cancel_one(PTHREAD_CANCEL_ASYNCHRONOUS, 1, 2000, info);
	}
}

int main(void)
{
	hard_fd = dup(2);
	hard_start(50);
	CHECK(!pipe(pipe_fds));
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096);
	test_stats_are_written_to_their_end();
	test_info_is_deferred_inside_and_as_before_outside(
		PTHREAD_CANCEL_ASYNCHRONOUS);
	test_info_is_deferred_inside_and_as_before_outside(
		PTHREAD_CANCEL_DEFERRED);
	cancel_many(0);
	cancel_many(1);
	return 0;
}
