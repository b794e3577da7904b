/*
 * day - a server's memory after a day: what does it keep for what it lost?
 *
 * Origin: what operators of servers report of processes that run for long. The
 * setting, few long-lived blocks left between many short-lived ones, is that
 * of D. Barrett and B. Zorn, "Using Lifetime Predictors to Improve Memory
 * Allocation Performance", PLDI 1993.
 *
 * 1. Each hour has its load: how many bytes of short-lived blocks are live.
 *    They grow from night to noon, and shrink again. Blocks go first in, first
 *    out, but some stay for one more round.
 * 2. One block in LEAK_EVERY is never dropped, and has an odd size: it is the
 *    leak. At the end it must hold what was written to it.
 * 3. After the last hour only the leak and its list are live, 19 MiB at scale
 *    1, and so the process ends: what is resident then, beside these, is what
 *    the day has cost. It is the row's resident memory at the end in the tables
 *    of bench/suite, final_kib in its JSON.
 * 4. A run that lingers frees the leak as well: there it is memory after all
 *    is freed that is looked at.
 * 5. An operation is a block's life.
 */
#include "workload.h"

#define NIGHT		(2 * MIB)	/* live bytes at least load */
#define NOON		(96 * MIB)	/* live bytes at highest load */
#define HOURS		24
#define HOUR_BYTES	(240 * MIB)	/* allocated in each hour */
#define LEAK_EVERY	960
#define STAY_EVERY	16	/* blocks that go round the queue once more */
#define SIZE_BITS	12	/* contents are below 2^SIZE_BITS bytes */

struct block {
	struct block *next;
	uint32_t size;		/* of content */
	uint32_t tag;
	char content[];
};

struct leak {
	void *memory;
	size_t size;
	uint64_t tag;
};

struct server {
	struct random random;
	/* the short-lived, the oldest first */
	struct block *oldest;
	struct block **end;
	size_t bytes;
	struct leak *leaks;
	size_t nr_leaks, room_leaks;
	uint64_t checksum;
	uint64_t operations;
};

static const size_t odd_sizes[] = {
	13, 19, 37, 53, 91, 111, 171, 233, 341, 517, 777, 1031, 1537, 2311,
	3469, 5003, 9973,
};

static void server_append(struct server *server, struct block *block)
{
	block->next = NULL;
	*server->end = block;
	server->end = &block->next;
	server->bytes += block->size;
}

static size_t server_take(struct server *server)
{
	uint32_t size = (uint32_t)random_skewed(&server->random, SIZE_BITS);
	struct block *block = take(sizeof(*block) + size);

	block->size = size;
	block->tag = (uint32_t)random_next(&server->random);
	block_fill(block->content, size, block->tag);
	server_append(server, block);
	server->operations++;
	return size;
}

static struct block *server_unlink_oldest(struct server *server)
{
	struct block *block = server->oldest;

	server->oldest = block->next;
	if (!server->oldest)
		server->end = &server->oldest;
	server->bytes -= block->size;
	return block;
}

static void server_drop_oldest(struct server *server)
{
	struct block *block = server_unlink_oldest(server);

	block_check(block->content, block->size, block->tag);
	server->checksum += mix(block->tag);
	free(block);
}

/* The oldest goes, or now and then stays for another round. */
static void server_expire(struct server *server)
{
	if (random_below(&server->random, STAY_EVERY))
		server_drop_oldest(server);
	else
		server_append(server, server_unlink_oldest(server));
}

static void server_leak(struct server *server)
{
	struct leak *leak;

	if (server->nr_leaks == server->room_leaks) {
		server->room_leaks = 2 * server->room_leaks + 16;
		server->leaks = need(realloc(server->leaks,
					     server->room_leaks *
					     sizeof(*leak)));
	}
	leak = &server->leaks[server->nr_leaks++];
	leak->size = odd_sizes[random_below(&server->random,
					    array_size(odd_sizes))];
	leak->tag = random_next(&server->random);
	leak->memory = take(leak->size);
	block_fill(leak->memory, leak->size, leak->tag);
	server->operations++;
}

static void serve_hour(struct server *server, size_t load, size_t traffic)
{
	size_t allocated = 0;

	while (allocated < traffic) {
		allocated += server_take(server);
		while (server->bytes > load)
			server_expire(server);
		if (server->operations % LEAK_EVERY == 0)
			server_leak(server);
	}
}

/* Live bytes: up to noon in equal steps, and down again. */
static size_t hour_load(unsigned int hour)
{
	unsigned int from_noon = hour < HOURS / 2 ? HOURS / 2 - hour :
		hour - HOURS / 2;

	return NOON - (NOON - NIGHT) * from_noon / (HOURS / 2);
}

static void check_leaks(struct server *server)
{
	for (size_t i = 0; i < server->nr_leaks; i++) {
		const struct leak *leak = &server->leaks[i];

		block_check(leak->memory, leak->size, leak->tag);
		server->checksum += mix(leak->tag);
	}
}

static void plug_leaks(struct server *server)
{
	for (size_t i = 0; i < server->nr_leaks; i++)
		free(server->leaks[i].memory);
	free(server->leaks);
}

static void day_run(struct run *run)
{
	struct server server = {
		.random.state = 1993,
		.end = &server.oldest,
	};

	for (unsigned int hour = 0; hour <= HOURS; hour++) {
		serve_hour(&server, run_scaled(run, hour_load(hour)),
			   run_scaled(run, HOUR_BYTES));
		run_sample(run);
	}
	while (server.oldest)
		server_drop_oldest(&server);
	if (server.bytes)
		workload_die("the queue has lost blocks");
	check_leaks(&server);
	run->rests = !run->lingers;
	if (run->lingers)
		plug_leaks(&server);
	run->checksum = server.checksum;
	run->operations = server.operations;
}

const struct workload workload_day = {
	.name = "day",
	.origin = "a server's load of a day over a slow leak of odd sizes; "
		  "Barrett & Zorn 1993",
	.seconds = 2.1,
	.run = day_run,
};
