/*
 * zbm-workload - one workload under whichever malloc is under it.
 *
 *	zbm-workload --list
 *	zbm-workload NAME [--scale X] [--threads N] [--linger]
 *
 * 1. Standard output is the line "checksum=HEX", the same under every
 *    allocator and in every run with the same arguments; it comes when the
 *    work is over. Standard error is a line of JSON at the end: the seconds of
 *    the work, and the operations done.
 * 2. --scale multiplies the work; --threads is for workloads that have some.
 * 3. --linger stays for four seconds after all was freed: it sleeps for two,
 *    and takes a few small blocks now and then for two more, as a program does
 *    that waits for its next task. JSON then has the highest resident memory
 *    of the samples that were taken at the ends of phases, and the resident
 *    memory after the sleep and after the small blocks.
 * 4. --list prints "NAME<TAB>SECONDS<TAB>DESCRIPTION" for each workload.
 * 5. Status 1: memory did not hold what was written, or there was none.
 */
#include <argp.h>
#include <stdio.h>
#include <time.h>

#include "workload.h"

#define IDLE_SECONDS	2
#define LINGER_STEPS	100
#define LINGER_STEP_NS	20000000L	/* 20 ms */
#define LINGER_BLOCKS	8		/* malloc/free pairs a step */

static const struct workload *const workloads[] = {
	&workload_larson,
	&workload_bignum,
	&workload_logic,
	&workload_nbody,
	&workload_asymmetric,
	&workload_active_false,
	&workload_passive_false,
	&workload_fragment,
	&workload_json,
	&workload_kvstore,
	&workload_request,
	&workload_day,
	&workload_maps,
};

struct arguments {
	const struct workload *workload;
	double scale;
	unsigned int nr_threads;
	bool linger;
	bool list;
};

static const struct argp_option options[] = {
	{ "list", 'l', NULL, 0, "List the workloads", 0 },
	{ "scale", 's', "X", 0, "Multiply the work by X (1)", 0 },
	{ "threads", 't', "N", 0, "Threads of workloads that have some (2)",
	  0 },
	{ "linger", 'w', NULL, 0, "Stay for four seconds after the work", 0 },
	{ 0 },
};

static const struct workload *find_workload(const char *name)
{
	for (size_t i = 0; i < array_size(workloads); i++) {
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	}
	return NULL;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	unsigned long threads;
	char *end;

	switch (key) {
	case 'l':
		arguments->list = true;
		return 0;
	case 's':
		arguments->scale = strtod(value, &end);
		if (end == value || *end || !(arguments->scale > 0) ||
		    arguments->scale > 1e6)
			argp_error(state, "not a scale: %s", value);
		return 0;
	case 't':
		threads = strtoul(value, &end, 10);
		if (end == value || *end || !threads || threads > MAX_THREADS)
			argp_error(state, "not from 1 to %d threads: %s",
				   MAX_THREADS, value);
		arguments->nr_threads = (unsigned int)threads;
		return 0;
	case 'w':
		arguments->linger = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->workload)
			argp_error(state, "one workload at a time");
		arguments->workload = find_workload(value);
		if (!arguments->workload)
			argp_error(state, "no workload %s; see --list", value);
		return 0;
	case ARGP_KEY_END:
		if (!arguments->workload && !arguments->list)
			argp_error(state, "a workload's name is needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void list_workloads(void)
{
	for (size_t i = 0; i < array_size(workloads); i++)
		printf("%s\t%.1f\t%s\n", workloads[i]->name,
		       workloads[i]->seconds, workloads[i]->origin);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Without a call of the allocator. */
static void stay_idle(void)
{
	const struct timespec time = { .tv_sec = IDLE_SECONDS };

	nanosleep(&time, NULL);
}

static void linger(void)
{
	const struct timespec step = { .tv_nsec = LINGER_STEP_NS };
	void *blocks[LINGER_BLOCKS];

	for (int i = 0; i < LINGER_STEPS; i++) {
		for (size_t j = 0; j < LINGER_BLOCKS; j++) {
			blocks[j] = take(16UL << j);
			block_fill(blocks[j], 16UL << j, j);
		}
		for (size_t j = 0; j < LINGER_BLOCKS; j++) {
			block_check(blocks[j], 16UL << j, j);
			free(blocks[j]);
		}
		nanosleep(&step, NULL);
	}
}

/* Without a buffer of the allocator's, which would stay while we linger. */
static void print_checksum(const struct run *run)
{
	static char buffer[BUFSIZ];

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	printf("checksum=%016jx\n", (uintmax_t)run->checksum);
	if (fflush(stdout)) {
		perror("zbm-workload");
		exit(2);
	}
}

static void run_workload(const struct arguments *arguments)
{
	struct run run = {
		.scale = arguments->scale,
		.nr_threads = arguments->nr_threads,
		.lingers = arguments->linger,
	};
	size_t rss_idle = 0, rss_after = 0;
	double seconds;

	workload_set_name(arguments->workload->name);
	seconds = seconds_now();
	arguments->workload->run(&run);
	seconds = seconds_now() - seconds;
	print_checksum(&run);
	if (run.rests)
		run_rest();
	if (arguments->linger) {
		run_sample(&run);
		stay_idle();
		rss_idle = resident_kib();
		linger();
		rss_after = resident_kib();
	}
	fprintf(stderr, "{\"seconds\": %.6f, \"operations\": %ju", seconds,
		(uintmax_t)run.operations);
	if (arguments->linger)
		fprintf(stderr,
			", \"peak_rss_kib\": %zu, \"rss_idle_kib\": %zu"
			", \"rss_after_kib\": %zu",
			run.peak_rss_kib, rss_idle, rss_after);
	fputs("}\n", stderr);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "NAME",
		.doc = "Run a fixed amount of the work of NAME.",
	};
	struct arguments arguments = { .scale = 1, .nr_threads = 2 };

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.list)
		list_workloads();
	else
		run_workload(&arguments);
	if (fflush(stdout)) {
		perror("zbm-workload");
		return 2;
	}
	return 0;
}
