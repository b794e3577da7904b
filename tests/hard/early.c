/*
 * early - malloc before any constructor, in all of the program's stages, and
 * after main.
 *
 * 1. Each stage works on blocks of every kind and leaves some behind, which
 *    later stages check and free.
 * 2. Each stage writes one letter to file descriptor 9; the parent compares
 *    the word: a stage that did not run is a failure.
 */
#include "hard.h"

#define MARK_FD	9

static const size_t sizes[] = { 1, 24, 300, 1024, 5000, 70000, MIB, 3 * MIB,
				10 * MIB };
enum { N = array_size(sizes), NR_STAGES = 8 };

static void *left[NR_STAGES][N];
static int stage;

static void free_left_by(int old)
{
	int i;

	for (i = 0; i < N; i++) {
		VERIFY(left[old][i], sizes[i], (unsigned int)old);
		free(left[old][i]);
	}
}

static void work(char letter)
{
	int i;

	for (i = 0; i < N; i++) {
		char *p = calloc(1, hide(sizes[i]));

		CHECK(p);
		CHECK_EQ(p[0] | p[sizes[i] - 1], 0);
		fill(p, sizes[i], 77);
		p = realloc(p, sizes[i] * 2);
		CHECK(p);
		VERIFY(p, sizes[i], 77);
		free(p);
		p = memalign(256, hide(sizes[i]));
		CHECK(p);
		left[stage][i] = malloc(hide(sizes[i]));
		CHECK(left[stage][i]);
		fill(left[stage][i], sizes[i], (unsigned int)stage);
		free(p);
	}
	if (stage)
		free_left_by(stage - 1);
	stage++;
	if (write(MARK_FD, &letter, 1) != 1 && errno != EBADF)
		_exit(5);
}

static void *in_resolver;

static int answer(void)
{
	return 42;
}

/* Runs while the program is being relocated: no constructor, no environ. */
__attribute__((used)) static int (*resolve(void))(void)
{
	in_resolver = malloc(100);
	if (in_resolver)
		memset(in_resolver, 0x33, 100);
	free(malloc(5000));
	free(calloc(3, 100000));
	return answer;
}

int resolved(void) __attribute__((ifunc("resolve")));

static void at_preinit(void)
{
	work('p');
}

__attribute__((section(".preinit_array"), used))
static void (*preinit)(void) = at_preinit;

__attribute__((constructor(101))) static void first_constructor(void)
{
	work('c');
}

__attribute__((constructor)) static void last_constructor(void)
{
	work('C');
}

__attribute__((destructor(101))) static void last_destructor(void)
{
	work('d');
	free_left_by(stage - 1);
}

__attribute__((destructor)) static void first_destructor(void)
{
	work('D');
}

static void at_exit(void)
{
	work('a');
}

static void on_exit_too(int status, void *arg)
{
	(void)status;
	work('o');
	free(arg);
}

static void child(void)
{
	int i;

	work('m');
	CHECK_EQ(resolved(), 42);
	CHECK(in_resolver);
	for (i = 0; i < 100; i++)
		CHECK_EQ(((char *)in_resolver)[i], 0x33);
	free(in_resolver);
	atexit(at_exit);
	on_exit(on_exit_too, malloc(100));
	/* More than fit the static table of atexit: it allocates. */
	for (i = 0; i < 200; i++)
		CHECK(!atexit(every_class_once));
	exit(0);
}

int main(int argc, char **argv)
{
	char word[32];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "child"))
		child();
	hard_start(30);
	CHECK(!pipe(fds));
	pid = fork();
	if (!pid) {
		dup2(fds[1], MARK_FD);
		execl("/proc/self/exe", "early", "child", (char *)NULL);
		_exit(4);
	}
	close(fds[1]);
	status = hard_wait(pid);
	CHECK_EQ(status, 0);
	n = read(fds[0], word, sizeof(word) - 1);
	CHECK(n > 0);
	word[n] = 0;
	if (strcmp(word, "pcCmoaDd"))
		hard_say("stages that ran: %s\n", word);
	CHECK(!strcmp(word, "pcCmoaDd"));
	return 0;
}
