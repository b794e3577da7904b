/*
 * micro - what the micro benchmarks share: draws, arrays, names of rows.
 */
#include "micro.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

void micro_shuffle(uint16_t *item, size_t n, uint64_t *seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t other = splitmix_next(seed) % i;
		uint16_t last = item[i - 1];

		item[i - 1] = item[other];
		item[other] = last;
	}
}

uint32_t micro_draw_size(uint64_t *seed)
{
	uint64_t x = splitmix_next(seed);
	uint32_t power = 8U << (x >> 8) % 7;

	if (x % 256 == 0)
		return 1024 + (uint32_t)(x >> 32) % (15 * 1024 + 1);
	return power + (uint32_t)(x >> 32) % power;
}

void micro_sizes_init(struct micro_sizes *sizes, int64_t size)
{
	uint64_t seed = 1;

	sizes->nr = size == MIXED ? NR_SIZES : BATCH;
	sizes->next = 0;
	for (size_t i = 0; i < sizes->nr; i++)
		sizes->size[i] = size == MIXED ? micro_draw_size(&seed) :
						 (uint32_t)size;
}

void micro_die(const char *message)
{
	fprintf(stderr, "micro: %s\n", message);
	exit(1);
}

void *micro_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		micro_die("cannot map an array");
	return p;
}

void micro_unmap(void *p, size_t size)
{
	munmap(p, size);
}

void micro_add(const struct shim_bench *bench)
{
	struct shim_bench row = *bench;
	char name[64];

	if (row.range[0] == MIXED)
		snprintf(name, sizeof(name), "%s/mixed", bench->name);
	else
		snprintf(name, sizeof(name), "%s/%lld", bench->name,
			 (long long)row.range[0]);
	row.name = name;
	shim_register(&row);
}

size_t micro_thread_counts(int counts[3])
{
	cpu_set_t set;
	int cpus = 0;

	/* Fails where there are more CPUs than the set can hold. */
	if (!sched_getaffinity(0, sizeof(set), &set))
		cpus = CPU_COUNT(&set);
	counts[0] = 1;
	counts[1] = 2;
	counts[2] = (cpus < MAX_THREADS ? cpus : MAX_THREADS) & ~1;
	return counts[2] > 2 ? 3 : 2;
}
