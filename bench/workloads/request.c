/*
 * request - a server that drops all it allocated at the end of a request.
 *
 * After: E. Berger, B. Zorn and K. McKinley, "Reconsidering Custom Memory
 * Allocation", OOPSLA 2002, which looks at programs that do this with
 * regions, as Apache's pools; here it is done with malloc and free.
 *
 * 1. A request allocates strings, nodes and buffers, lets its answer grow by
 *    realloc, reads all back and frees all in the order of allocation.
 * 2. One request of KEPT_EVERY leaves a session in a table that all threads
 *    share. The session that was there before is freed by whoever replaces
 *    it: a thread that mostly did not allocate it. Which sessions are
 *    replaced by which depends on time, but not their sum.
 * 3. An operation is a request.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "workload.h"

#define NR_REQUESTS	300000	/* of each thread */
#define MIN_PIECES	30
#define MAX_PIECES	200
#define KEPT_EVERY	20
#define NR_SESSIONS	8192
#define FIRST_ANSWER	512	/* bytes */

/* Heads a block of the request. */
struct piece {
	struct piece *next;
	uint32_t size;		/* of content */
	uint32_t tag;
	char content[];
};

struct session {
	size_t size;		/* of content */
	uint64_t tag;
	char content[];
};

struct request {
	struct piece *first;
	struct piece **end;
	uint64_t nr;
};

static struct session *_Atomic sessions[NR_SESSIONS];

/* Strings, then nodes of a few sizes, then buffers. */
static uint32_t draw_piece_size(struct random *random)
{
	uint64_t dice = random_below(random, 100);

	if (dice < 60)
		return (uint32_t)random_between(random, 8, 100);
	if (dice < 90)
		return (uint32_t)(24 + 16 * random_below(random, 8));
	if (dice < 98)
		return (uint32_t)random_between(random, 256, 2048);
	return (uint32_t)random_between(random, 4096, 16384);
}

static void request_take(struct request *request, struct random *random)
{
	uint32_t size = draw_piece_size(random);
	struct piece *piece = take(sizeof(*piece) + size);

	piece->next = NULL;
	piece->size = size;
	piece->tag = (uint32_t)random_next(random);
	block_fill(piece->content, size, piece->tag);
	*request->end = piece;
	request->end = &piece->next;
	request->nr++;
}

/* Frees the pieces; returns the sum of their tags. */
static uint64_t request_end(struct request *request)
{
	struct piece *piece, *next;
	uint64_t sum = 0;

	for (piece = request->first; piece; piece = next, request->nr--) {
		next = piece->next;
		block_check(piece->content, piece->size, piece->tag);
		sum += mix(piece->tag);
		free(piece);
	}
	if (request->nr)
		workload_die("a request has lost pieces");
	return sum;
}

/* An answer that grows until all pieces are in it; returns its size. */
static uint64_t request_answer(const struct request *request)
{
	const struct piece *piece = request->first;
	size_t room = FIRST_ANSWER, size = 0;
	char *answer = take(room);

	for (uint64_t i = 0; i < request->nr; i++, piece = piece->next) {
		if (!piece)
			workload_die("a request has lost pieces");
		while (size + piece->size > room) {
			room *= 2;
			answer = need(realloc(answer, room));
		}
		memcpy(answer + size, piece->content, piece->size);
		size += piece->size;
	}
	if (piece)
		workload_die("a request has pieces of another");
	size = 0;
	for (piece = request->first; piece; piece = piece->next) {
		block_check(answer + size, piece->size, piece->tag);
		size += piece->size;
	}
	free(answer);
	return size;
}

static uint64_t session_drop(struct session *session)
{
	uint64_t sum;

	if (!session)
		return 0;
	block_check(session->content, session->size, session->tag);
	sum = mix(session->tag);
	free(session);
	return sum;
}

static uint64_t session_keep(struct random *random)
{
	size_t size = random_between(random, 100, 3000);
	struct session *session = take(sizeof(*session) + size);
	size_t place = random_below(random, NR_SESSIONS);

	session->size = size;
	session->tag = random_next(random);
	block_fill(session->content, size, session->tag);
	/* acquire and release: pairs with itself, for the contents. */
	return session_drop(atomic_exchange_explicit(&sessions[place],
						     session,
						     memory_order_acq_rel));
}

static void serve(struct worker *worker)
{
	const uint64_t *nr_requests = worker->shared;
	struct random random = { .state = worker->index };

	for (uint64_t i = 0; i < *nr_requests; i++) {
		struct request request = { .end = &request.first };
		uint64_t nr = random_between(&random, MIN_PIECES, MAX_PIECES);

		while (nr--)
			request_take(&request, &random);
		worker->checksum += request_answer(&request);
		if (i % KEPT_EVERY == 0)
			worker->checksum += session_keep(&random);
		worker->checksum += request_end(&request);
	}
	worker->operations = *nr_requests;
}

static void request_run(struct run *run)
{
	uint64_t nr_requests = run_scaled(run, NR_REQUESTS);

	run_workers(run, run->nr_threads, serve, &nr_requests);
	run_sample(run);
	for (size_t i = 0; i < NR_SESSIONS; i++)
		run->checksum += session_drop(sessions[i]);
}

const struct workload workload_request = {
	.name = "request",
	.origin = "requests whose many small blocks all go at their end, some "
		  "sessions stay; Berger et al. 2002",
	.seconds = 2,
	.threaded = true,
	.run = request_run,
};
