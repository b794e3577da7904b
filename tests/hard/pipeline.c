/*
 * pipeline - one thread allocates and the other frees, through a ring, in
 * both directions and with sizes that change; bytes arrive as they were
 * sent, and memory stays what the ring holds.
 */
#include "hard.h"
#include <pthread.h>
#include <sched.h>

enum { RING = 4096, NR_MESSAGES = 400000 };

struct message {
	size_t size;
	unsigned int number;
	unsigned char bytes[];
};

struct ring {
	struct message *slot[RING];
	size_t head __attribute__((aligned(64)));	/* the sender's */
	size_t tail __attribute__((aligned(64)));	/* the receiver's */
};

static struct ring there, back;

static void send_message(struct ring *ring, struct message *m)
{
	while (ring->head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) ==
	       RING)
		sched_yield();
	ring->slot[ring->head % RING] = m;
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

static struct message *receive_message(struct ring *ring)
{
	struct message *m;

	while (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == ring->tail)
		sched_yield();
	m = ring->slot[ring->tail % RING];
	__atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
	return m;
}

static struct message *make(unsigned int number, uint64_t *seed)
{
	/* Mostly as a program sends them, now and then a large one. */
	size_t n = number % 997 == 0 ? rnd_size(seed, 60000, 3 * MIB) :
		   number / 50000 % 2 ? 48 : rnd_size(seed, 1, 1500);
	struct message *m = malloc(sizeof(*m) + n);

	CHECK(m);
	m->size = n;
	m->number = number;
	fill(m->bytes, n, number);
	return m;
}

/* Frees each message, and answers every fourth with one of its own. */
static void *receiver(void *arg)
{
	uint64_t seed = 99;
	unsigned int i;

	for (i = 0; i < NR_MESSAGES; i++) {
		struct message *m = receive_message(&there);

		CHECK_EQ(m->number, i);
		VERIFY(m->bytes, m->size, i);
		free(m);
		if (i % 4 == 3)
			send_message(&back, make(i, &seed));
	}
	return arg;
}

int main(void)
{
	uint64_t seed = 7;
	pthread_t thread;
	size_t before, most = 0;
	unsigned int i;

	hard_start(50);
	before = rss();
	CHECK(!pthread_create(&thread, NULL, receiver, NULL));
	for (i = 0; i < NR_MESSAGES; i++) {
		send_message(&there, make(i, &seed));
		/* RING answers at the most are on their way. */
		while (back.tail < __atomic_load_n(&back.head,
						   __ATOMIC_ACQUIRE)) {
			struct message *m = receive_message(&back);

			VERIFY(m->bytes, m->size, m->number);
			free(m);
		}
		if (i % 20000 == 19999 && rss() > most)
			most = rss();
	}
	pthread_join(thread, NULL);
	while (back.tail < back.head)
		free(receive_message(&back));
	/* 4096 messages of 750 bytes, five large ones, and caches. */
	CHECK_OP(most, <, before + 48 * MIB);
	return 0;
}
