/*
 * fork-streams - threads that read lines and flush all streams while others
 * fork. getline allocates with its stream locked, fflush(NULL) waits for the
 * stream with the list of streams locked, and fork takes that list.
 */
#include "hard.h"
#include <pthread.h>

#define LINE	(600 * KIB)
#define SECONDS	4

static int stop;

static void *read_lines(void *arg)
{
	FILE *file = (FILE *)arg;
	char *line = NULL;
	size_t n = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		rewind(file);
		while (getline(&line, &n, file) > 0) {
			free(line);
			line = NULL;
			n = 0;
		}
	}
	free(line);
	return NULL;
}

static void *flush_all(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		fflush(NULL);
	return arg;
}

static FILE *lines_of_all_sizes(void)
{
	FILE *file = tmpfile();
	size_t n;

	CHECK(file);
	for (n = LINE; n > 1000; n /= 2)
		CHECK_OP(fprintf(file, "%*d\n", (int)n, 1), >, n);
	CHECK(!fflush(file));
	return file;
}

/* The child has streams, too. */
static void fork_once(FILE *file)
{
	pid_t pid = fork();

	if (!pid) {
		rewind(file);
		CHECK_EQ(fgetc(file), ' ');
		CHECK(!fflush(NULL));
		every_class_once();
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
}

int main(void)
{
	FILE *file = lines_of_all_sizes(), *own = lines_of_all_sizes();
	pthread_t reader, flusher;
	time_t end;

	hard_start(50);
	CHECK(!pthread_create(&reader, NULL, read_lines, file));
	CHECK(!pthread_create(&flusher, NULL, flush_all, NULL));
	end = time(NULL) + SECONDS;
	while (time(NULL) < end)
		fork_once(own);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK(!pthread_join(reader, NULL));
	CHECK(!pthread_join(flusher, NULL));
	fclose(file);
	fclose(own);
	return 0;
}
