/*
 * asymmetric - some threads only allocate, the others only free.
 *
 * After: C. Lever and D. Boreham, "malloc() Performance in a Multithreaded
 * Linux Environment", USENIX 2000 (its xmalloc test). The sizes and numbers
 * are our own.
 *
 * 1. Half of the threads produce: they fill batches of objects of mixed
 *    sizes. The other half consume: they check and free the objects and the
 *    batch. There is at least one of each.
 * 2. Between them is one queue of at most QUEUE_LIMIT batches, under one lock
 *    which is taken once per batch.
 * 3. Whoever consumes a batch adds the same to the checksum.
 * 4. An operation is an object's way from malloc to free.
 */
#include <pthread.h>

#include "workload.h"

#define BATCH		100	/* objects */
#define QUEUE_LIMIT	64	/* batches */
#define NR_BATCHES	1600000	/* by each producer */
#define MIN_SIZE	16	/* bytes */
#define SIZE_BITS	9	/* sizes are MIN_SIZE and up to 2^SIZE_BITS */

struct batch {
	struct batch *next;
	void *blocks[BATCH];
	uint32_t sizes[BATCH];
	uint32_t tags[BATCH];
};

struct queue {
	pthread_mutex_t lock;
	/* under lock */
	pthread_cond_t not_full;
	pthread_cond_t not_empty;
	struct batch *first;
	struct batch **end;
	unsigned int nr;
	uint64_t nr_to_come;	/* batches not yet taken out */
	/* constant */
	unsigned int nr_producers;
	uint64_t nr_batches;	/* by each of them */
};

static void queue_put(struct queue *queue, struct batch *batch)
{
	batch->next = NULL;
	pthread_mutex_lock(&queue->lock);
	while (queue->nr == QUEUE_LIMIT)
		pthread_cond_wait(&queue->not_full, &queue->lock);
	*queue->end = batch;
	queue->end = &batch->next;
	if (!queue->nr++)
		pthread_cond_broadcast(&queue->not_empty);
	pthread_mutex_unlock(&queue->lock);
}

/* NULL: nothing is left to come. */
static struct batch *queue_get(struct queue *queue)
{
	struct batch *batch = NULL;

	pthread_mutex_lock(&queue->lock);
	while (!queue->nr && queue->nr_to_come)
		pthread_cond_wait(&queue->not_empty, &queue->lock);
	if (queue->nr_to_come) {
		batch = queue->first;
		queue->first = batch->next;
		if (!queue->first)
			queue->end = &queue->first;
		/* Wake producers when there is work for many batches. */
		if (--queue->nr == QUEUE_LIMIT / 2)
			pthread_cond_broadcast(&queue->not_full);
		if (!--queue->nr_to_come)
			pthread_cond_broadcast(&queue->not_empty);
	}
	pthread_mutex_unlock(&queue->lock);
	return batch;
}

static void produce(struct queue *queue, struct worker *worker)
{
	struct random random = { .state = worker->index };

	for (uint64_t i = 0; i < queue->nr_batches; i++) {
		struct batch *batch = take(sizeof(*batch));

		for (int j = 0; j < BATCH; j++) {
			size_t size = MIN_SIZE +
				random_skewed(&random, SIZE_BITS);
			uint32_t tag = (uint32_t)random_next(&random);

			batch->blocks[j] = take(size);
			batch->sizes[j] = (uint32_t)size;
			batch->tags[j] = tag;
			block_fill(batch->blocks[j], size, tag);
		}
		queue_put(queue, batch);
	}
}

static void consume(struct queue *queue, struct worker *worker)
{
	struct batch *batch;

	while ((batch = queue_get(queue))) {
		for (int j = 0; j < BATCH; j++) {
			block_check(batch->blocks[j], batch->sizes[j],
				    batch->tags[j]);
			worker->checksum += mix(batch->tags[j]);
			free(batch->blocks[j]);
		}
		worker->operations += BATCH;
		free(batch);
	}
}

static void work(struct worker *worker)
{
	struct queue *queue = worker->shared;

	if (worker->index < queue->nr_producers)
		produce(queue, worker);
	else
		consume(queue, worker);
}

static void asymmetric_run(struct run *run)
{
	unsigned int nr_pairs = run->nr_threads < 2 ? 1 : run->nr_threads / 2;
	struct queue queue = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.not_full = PTHREAD_COND_INITIALIZER,
		.not_empty = PTHREAD_COND_INITIALIZER,
		.end = &queue.first,
		.nr_producers = nr_pairs,
		.nr_batches = run_scaled(run, NR_BATCHES),
	};

	queue.nr_to_come = queue.nr_batches * nr_pairs;
	run_workers(run, 2 * nr_pairs, work, &queue);
	run_sample(run);
}

const struct workload workload_asymmetric = {
	.name = "asymmetric",
	.origin = "threads that only allocate, threads that only free; "
		  "Lever & Boreham 2000",
	.seconds = 6,
	.threaded = true,
	.run = asymmetric_run,
};
