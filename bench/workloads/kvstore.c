/*
 * kvstore - a store of keys and values that evicts what was not used lately.
 *
 * After: memcached (B. Fitzpatrick 2003) and Redis as a cache (S. Sanfilippo,
 * maxmemory, allkeys-lru); popularity of keys as in B. Cooper et al.,
 * "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010.
 *
 * 1. An entry is a block with its key, and another with its value. The table
 *    of entries doubles when it is full, and all of it moves.
 * 2. Keys are drawn so that each power of two of ranks is as likely as the
 *    next, which is nearly Zipf's law. Most requests read; a miss stores the
 *    value, as in front of a database. Some overwrite a value by one of
 *    another size, some append to it, some delete.
 * 3. Above LIMIT bytes of keys and values the entries that were unused for
 *    longest go. The limit counts what was asked for, so that all allocators
 *    keep the same entries.
 * 4. An operation is a request.
 */
#include <stddef.h>

#include "workload.h"

#define LIMIT		(96 * MIB)
#define KEY_BITS	20	/* ranks are below 2^KEY_BITS */
#define NR_REQUESTS	6500000
#define FIRST_TABLE	16	/* slots */
#define MAX_KEY		48	/* bytes with the end */
#define MAX_APPEND	100	/* bytes */
#define MAX_VALUE	(128 * KIB)

struct entry {
	struct entry *next;		/* of the same slot */
	struct entry *newer, *older;	/* by last use */
	uint64_t hash;
	uint64_t tag;
	void *value;
	uint32_t value_size;
	char key[];
};

struct store {
	struct random random;
	struct entry **table;
	size_t nr_slots;	/* a power of two */
	size_t nr_entries;
	size_t bytes;
	struct entry *newest, *oldest;
	uint64_t checksum;
};

struct key {
	char text[MAX_KEY];
	size_t size;		/* with the end */
	uint64_t hash;
};

/* FNV-1a, by G. Fowler, L. Noll and P. Vo. */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return mix(hash);
}

static void draw_key(struct random *random, struct key *key)
{
	static const char *const kinds[] = {
		"user:", "session:", "rendered-page:", "basket:items:",
		"recommendations:v2:home:",
	};
	uint64_t rank = random_skewed(random, KEY_BITS);
	char *end = stpcpy(key->text, kinds[rank % array_size(kinds)]);

	for (; rank; rank /= 10)
		*end++ = (char)('0' + rank % 10);
	*end++ = '\0';
	key->size = (size_t)(end - key->text);
	key->hash = hash_text(key->text);
}

/* Most values are small, most bytes are in large ones. */
static uint32_t draw_value_size(struct random *random)
{
	uint64_t dice = random_below(random, 1000);

	if (dice < 600)
		return (uint32_t)random_between(random, 9, 128);
	if (dice < 900)
		return (uint32_t)random_between(random, 129, 1024);
	if (dice < 990)
		return (uint32_t)random_between(random, 1025, 8192);
	return (uint32_t)random_between(random, 8193, 65536);
}

static struct entry **store_slot(const struct store *store, uint64_t hash)
{
	return &store->table[hash & (store->nr_slots - 1)];
}

static void store_grow(struct store *store)
{
	struct entry **old = store->table;
	size_t nr_old = store->nr_slots;

	store->nr_slots = nr_old ? 2 * nr_old : FIRST_TABLE;
	store->table = need(calloc(store->nr_slots, sizeof(*old)));
	for (size_t i = 0; i < nr_old; i++) {
		struct entry *entry, *next;

		for (entry = old[i]; entry; entry = next) {
			struct entry **slot = store_slot(store, entry->hash);

			next = entry->next;
			entry->next = *slot;
			*slot = entry;
		}
	}
	free(old);
}

static void store_unlink_use(struct store *store, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &store->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &store->oldest) = entry->newer;
}

static void store_link_use(struct store *store, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = store->newest;
	*(store->newest ? &store->newest->newer : &store->oldest) = entry;
	store->newest = entry;
}

static struct entry *store_find(const struct store *store,
				const struct key *key)
{
	struct entry *entry = *store_slot(store, key->hash);

	while (entry && (entry->hash != key->hash ||
			 strcmp(entry->key, key->text)))
		entry = entry->next;
	return entry;
}

static size_t entry_bytes(const struct entry *entry)
{
	return sizeof(*entry) + strlen(entry->key) + 1 + entry->value_size;
}

/* Checks the key and the value on the way out. */
static void store_remove(struct store *store, struct entry *entry)
{
	struct entry **place = store_slot(store, entry->hash);

	if (hash_text(entry->key) != entry->hash)
		block_corrupt(entry->key, strlen(entry->key) + 1);
	block_check(entry->value, entry->value_size, entry->tag);
	while (*place != entry) {
		if (!*place)
			workload_die("an entry is in no slot");
		place = &(*place)->next;
	}
	*place = entry->next;
	store_unlink_use(store, entry);
	store->bytes -= entry_bytes(entry);
	store->nr_entries--;
	free(entry->value);
	free(entry);
}

static void store_make_room(struct store *store)
{
	while (store->bytes > LIMIT)
		store_remove(store, store->oldest);
}

static void entry_fill(struct store *store, struct entry *entry)
{
	entry->tag = random_next(&store->random);
	block_fill(entry->value, entry->value_size, entry->tag);
}

static void store_add(struct store *store, const struct key *key)
{
	struct entry *entry = take(sizeof(*entry) + key->size);
	struct entry **slot;

	if (store->nr_entries == store->nr_slots)
		store_grow(store);
	entry->hash = key->hash;
	memcpy(entry->key, key->text, key->size);
	entry->value_size = draw_value_size(&store->random);
	entry->value = take(entry->value_size);
	entry_fill(store, entry);
	slot = store_slot(store, key->hash);
	entry->next = *slot;
	*slot = entry;
	store_link_use(store, entry);
	store->bytes += entry_bytes(entry);
	store->nr_entries++;
	store_make_room(store);
}

/* As a server does: the new value is there before the old one goes. */
static void store_overwrite(struct store *store, struct entry *entry)
{
	uint32_t size = draw_value_size(&store->random);
	void *value = take(size);

	block_check(entry->value, entry->value_size, entry->tag);
	free(entry->value);
	store->bytes += size;
	store->bytes -= entry->value_size;
	entry->value = value;
	entry->value_size = size;
	entry_fill(store, entry);
	store_make_room(store);
}

static void store_append(struct store *store, struct entry *entry)
{
	uint32_t more = (uint32_t)random_between(&store->random, 1,
						 MAX_APPEND);

	if (entry->value_size + more > MAX_VALUE)
		return;
	entry->value = need(realloc(entry->value, entry->value_size + more));
	block_check(entry->value, entry->value_size, entry->tag);
	entry->value_size += more;
	store->bytes += more;
	entry_fill(store, entry);
	store_make_room(store);
}

static void store_use(struct store *store, struct entry *entry)
{
	block_check(entry->value, entry->value_size, entry->tag);
	store->checksum += mix(entry->tag + entry->value_size);
	store_unlink_use(store, entry);
	store_link_use(store, entry);
}

static void serve(struct store *store)
{
	uint64_t dice = random_below(&store->random, 100);
	struct entry *entry;
	struct key key;

	draw_key(&store->random, &key);
	entry = store_find(store, &key);
	if (!entry) {
		store_add(store, &key);
		return;
	}
	store_use(store, entry);
	if (dice < 4)
		store_remove(store, entry);
	else if (dice < 14)
		store_overwrite(store, entry);
	else if (dice < 20)
		store_append(store, entry);
}

static void kvstore_run(struct run *run)
{
	struct store store = { .random.state = 2003 };
	uint64_t nr = run_scaled(run, NR_REQUESTS);

	store_grow(&store);
	for (uint64_t i = 0; i < nr; i++)
		serve(&store);
	run_sample(run);
	run->checksum = store.checksum + mix(store.nr_entries) +
		mix(store.bytes);
	run->operations = nr;
	while (store.oldest)
		store_remove(&store, store.oldest);
	if (store.bytes || store.nr_entries)
		workload_die("an empty store has %zu bytes", store.bytes);
	free(store.table);
}

const struct workload workload_kvstore = {
	.name = "kvstore",
	.origin = "cache of keys and values of mixed sizes, evicts above 96 "
		  "MiB; memcached, Redis, YCSB",
	.seconds = 2,
	.run = kvstore_run,
};
