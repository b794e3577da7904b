/*
 * fork-shared - threads on the shared heap and threads that fork do not wait
 * for each other.
 *
 * 1. The kernel is kept from telling of the end of threads (a filter refuses
 *    get_robust_list), so a thread in its last destructors uses the shared
 *    heap, under a lock.
 * 2. What it takes makes a zone have more resident than before, again and
 *    again: each time it needs the lock of reclaim, which another thread's
 *    looks at the clock take, and fork, too.
 */
#include "hard.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/syscall.h>

enum { NR_FORKS = 400, NR_BLOCKS = 40, MIN_ROUNDS = 10 };

static volatile int stop;
static volatile unsigned int nr_rounds;
static pthread_key_t key;

static void refuse_robust_lists(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_get_robust_list, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { array_size(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		SKIP("the kernel takes no filter of system calls");
}

static void last_calls(void *arg)
{
	void *block[NR_BLOCKS];
	int i;

	(void)arg;
	while (!stop) {
		for (i = 0; i < NR_BLOCKS; i++) {
			CHECK(block[i] = malloc(700 * KIB));
			memset(block[i], 1, 700 * KIB);
		}
		while (i)
			free(block[--i]);
		malloc_trim(0);
		nr_rounds++;
		usleep(200);
	}
}

static void *end_slowly(void *arg)
{
	free(malloc(100));
	pthread_setspecific(key, &key);
	return arg;
}

static void *tick(void *arg)
{
	void *block[64];
	size_t i;

	while (!stop) {
		for (i = 0; i < array_size(block); i++)
			CHECK(block[i] = malloc(3000));
		while (i)
			free(block[--i]);
		usleep(500);
	}
	return arg;
}

int main(void)
{
	pthread_t thread, ticker;
	pid_t pid;
	int i;

	hard_start(50);
	refuse_robust_lists();
	CHECK(!pthread_key_create(&key, last_calls));
	CHECK(!pthread_create(&ticker, NULL, tick, NULL));
	CHECK(!pthread_create(&thread, NULL, end_slowly, NULL));
	for (i = 0; i < NR_FORKS || nr_rounds < MIN_ROUNDS; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			free(malloc(100));
			_exit(0);
		}
		CHECK_EQ(hard_wait(pid), 0);
	}
	stop = 1;
	CHECK(!pthread_join(thread, NULL));
	CHECK(!pthread_join(ticker, NULL));
	return 0;
}
