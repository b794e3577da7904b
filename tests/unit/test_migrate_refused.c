/*
 * test_migrate_refused - moves on a kernel as it was before Linux 6.17, which
 * unmaps the target, and then finds that the source is several mappings; and on
 * one that refuses for another reason. Whatever another thread maps into the
 * hole meanwhile stays its own.
 */
#include "huges.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define SIZE	(16 * MIB)

static int start_small(void **state)
{
	CHECK(setenv("ZBMALLOC_OPTIONS", "window=1G", 1) == 0);
	return start(state);
}

/* What the kernel does when it is to move something. */
static int refusal;		/* error; 0: what the kernel of old finds */
static size_t theirs;		/* bytes another thread maps into the hole */

static struct {
	char *addr;
	size_t size, nr;
} hole;

static bool is_several(long from, long size)
{
	return mremap((void *)from, (size_t)size, (size_t)size + PAGE_SIZE,
		      0) == MAP_FAILED && errno == EFAULT;
}

static long refuse_move(long size, long to)
{
	hole.addr = (char *)to;
	hole.size = (size_t)size;
	hole.nr++;
	CHECK(munmap(hole.addr, hole.size) == 0);
	if (theirs) {
		CHECK(mmap(hole.addr + PAGE_SIZE, theirs,
			   PROT_READ | PROT_WRITE, MAP_PRIVATE |
			   MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		memset(hole.addr + PAGE_SIZE, 0x5a, theirs);
	}
	errno = refusal ? refusal : EFAULT;
	return -1;
}

/* The library's own calls come here. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < array_size(arg); i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_mremap && arg[3] & MREMAP_FIXED &&
	    (refusal || is_several(arg[0], arg[1])))
		return refuse_move(arg[1], arg[4]);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static bool theirs_is_whole(void)
{
	for (size_t i = 0; i < theirs; i++)
		if (hole.addr[PAGE_SIZE + i] != 0x5a)
			return false;
	return true;
}

/* A block that cannot grow where it lies. */
static char *block_with_wall(char **wall)
{
	char *p = mem_malloc(SIZE);

	*wall = mem_malloc(SIZE);
	number_pages(p, SIZE, 3);
	return p;
}

static void split(char *p, size_t at, size_t size)
{
	CHECK(mprotect(p + at, size, PROT_READ) == 0);
}

static void moves_several_mappings(void)
{
	char *wall, *p = block_with_wall(&wall), *q;

	split(p, 5 * MIB, 3 * MIB);
	q = mem_realloc(p, 5 * SIZE);
	CHECK(q && q != p);
	CHECK(pages_are_numbered(q, SIZE, 3));
	/* Part by part, and nothing was copied. */
	CHECK(hole.nr == 0 && !os.refused[OS_REFUSED_MOVE]);
	CHECK(resident(p, SIZE) == 0);
	CHECK(pages_have_moved(address_to_pfn(q), SIZE >> PAGE_SHIFT));
	heap_validate();
}

static void test_a_block_of_several_mappings_moves_part_by_part(void **state)
{
	(void)state;
	assert_true(child_succeeds(moves_several_mappings));
}

static void copies_scattered_mappings(void)
{
	char *wall, *p = block_with_wall(&wall), *q;

	/* Behind a part that can be moved. */
	for (size_t i = 0; i < 100; i++)
		split(p, 6 * MIB + 2 * i * PAGE_SIZE, PAGE_SIZE);
	q = mem_realloc(p, 5 * SIZE);
	CHECK(q && q != p);
	CHECK(pages_are_numbered(q, SIZE, 3));
	CHECK(hole.nr == 0 && !os.refused[OS_REFUSED_MOVE]);
	number_pages(q, 5 * SIZE, 7);
	heap_validate();
}

static void test_a_block_of_many_small_mappings_is_copied(void **state)
{
	(void)state;
	assert_true(child_succeeds(copies_scattered_mappings));
}

static void mends_a_hole(void)
{
	char *wall, *p = block_with_wall(&wall), *q;

	refusal = ENOMEM;
	q = mem_realloc(p, 5 * SIZE);
	CHECK(q && q != p);
	CHECK(pages_are_numbered(q, SIZE, 3));
	CHECK(hole.nr == 1 && hole.size == SIZE);
	CHECK(os.refused[OS_REFUSED_MOVE] == 1);
	/* Nothing is missing, and it is not tried again. */
	world_resident(address_to_pfn(hole.addr), hole.size >> PAGE_SHIFT);
	q = mem_realloc(q, 10 * SIZE);
	CHECK(q && pages_are_numbered(q, SIZE, 3));
	CHECK(hole.nr == 1);
	mem_free(q);
	mem_free(wall);
	heap_validate();
}

static void test_a_hole_is_mapped_again(void **state)
{
	(void)state;
	assert_true(child_succeeds(mends_a_hole));
}

/* Takes all memory there is. */
static void use_up_window(void)
{
	char *p;

	while ((p = mem_malloc(SIZE))) {
		CHECK(p + SIZE <= hole.addr || p >= hole.addr + hole.size);
		for (size_t at = 0; at < SIZE; at += MIB / 2)
			p[at] = 1;
	}
}

static void leaves_theirs_alone(void)
{
	char *wall, *p = block_with_wall(&wall), *q;

	refusal = ENOMEM;
	theirs = MIB;
	q = mem_realloc(p, 5 * SIZE);
	CHECK(q && q != p);
	CHECK(pages_are_numbered(q, SIZE, 3));
	CHECK(hole.nr == 1);
	use_up_window();
	CHECK(theirs_is_whole());
	mem_free(q);
	mem_trim(0);
	CHECK(theirs_is_whole());
	heap_validate();
}

static void test_a_hole_with_a_mapping_of_others_is_lost(void **state)
{
	(void)state;
	assert_true(child_succeeds(leaves_theirs_alone));
}

static void fills_into_a_hole(void)
{
	char *p, *q, *wall;

	/* A program that writes all of its large blocks. */
	for (int i = 0; i < 30; i++) {
		p = mem_malloc(9 * MIB);
		number_pages(p, 9 * MIB, 1);
		mem_free(p);
	}
	p = mem_malloc(10 * MIB);
	wall = mem_malloc(3 * MIB);
	q = mem_malloc(10 * MIB);
	CHECK(p && wall && q);
	number_pages(p, 10 * MIB, 1);
	number_pages(q, 10 * MIB, 1);
	mem_free(p);
	mem_free(q);
	refusal = ENOMEM;
	theirs = MIB;
	p = mem_malloc(40 * MIB);
	CHECK(p && hole.nr == 1);
	CHECK(p + 40 * MIB <= hole.addr || p >= hole.addr + hole.size);
	number_pages(p, 40 * MIB, 1);
	mem_free(p);
	use_up_window();
	CHECK(theirs_is_whole());
	heap_validate();
}

static void test_a_block_whose_filling_is_refused_lies_elsewhere(void **state)
{
	(void)state;
	assert_true(child_succeeds(fills_into_a_hole));
}

/* The limit that the program has set for itself leaves no page to map. */
static void moves_under_a_limit(void)
{
	char *wall, *p = block_with_wall(&wall), *q;
	struct rlimit limit = { MIB, MIB };
	size_t before;

	mem_free(mem_malloc(150 * MIB));
	before = world_statm(0);
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	for (size_t size = 2 * SIZE; size <= 5 * SIZE; size += SIZE / 2) {
		q = mem_malloc(size - SIZE / 4);
		p = mem_realloc(p, size);
		CHECK(p && q);
		CHECK(pages_are_numbered(p, SIZE, 3));
		number_pages(q, size - SIZE / 4, 1);
		mem_free(q);
	}
	/* One hole at most, wherever the kernel refuses only then. */
	CHECK(world_statm(0) + 3 * SIZE >= before);
	CHECK(os.refused[OS_REFUSED_MOVE] <= 1);
	heap_validate();
}

static void test_a_limit_costs_one_place_at_most(void **state)
{
	(void)state;
	assert_true(child_succeeds(moves_under_a_limit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_block_of_several_mappings_moves_part_by_part),
		cmocka_unit_test(
			test_a_block_of_many_small_mappings_is_copied),
		cmocka_unit_test(test_a_hole_is_mapped_again),
		cmocka_unit_test(test_a_hole_with_a_mapping_of_others_is_lost),
		cmocka_unit_test(
			test_a_block_whose_filling_is_refused_lies_elsewhere),
		cmocka_unit_test(test_a_limit_costs_one_place_at_most),
	};

	return cmocka_run_group_tests(tests, start_small, NULL);
}
