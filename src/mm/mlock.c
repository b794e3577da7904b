#include "mm/mlock.h"
#include "mm/hotplug.h"
#include "mm/meta.h"
#include "os/maps.h"
#include "os/os.h"

#include <sys/mman.h>

#define MCL_BOTH	(MCL_CURRENT | MCL_FUTURE)

struct range {
	uintptr_t start, end;
};

/* Of a mapping, as far as it is ours or not. */
struct part {
	uintptr_t start, end;
	bool ours;		/* of a reservation */
	bool accessible;
	bool writable;		/* if it is ours: committed */
};

/* What is done with each part: 0, or an error number that ends it. */
struct visit {
	int (*part)(const struct part *part, struct visit *visit);
	bool now;		/* not at the first touch */
	size_t bytes;		/* of the sum */
};

enum { NR_RANGES = 3 };

static void our_ranges(struct range range[NR_RANGES])
{
	range[0] = (struct range){ vm.base, vm.base + vm.size };
	range[1] = (struct range){
		(uintptr_t)vm.tables, (uintptr_t)vm.tables + vm.tables_size,
	};
	range[2] = (struct range){
		(uintptr_t)meta.end - meta.size, (uintptr_t)meta.end,
	};
}

/* Before and behind the window lies what its alignment has left over. */
static bool is_slack(const struct mapping *mapping, const struct range *range)
{
	return !mapping->accessible && mapping->start <= range->end &&
	       range->start <= mapping->end;
}

/* The part of the mapping from `start` on. */
static struct part next_part(const struct mapping *mapping, uintptr_t start)
{
	struct part part = {
		.start = start,
		.end = mapping->end,
		.accessible = mapping->accessible,
		.writable = mapping->writable,
	};
	struct range range[NR_RANGES];

	our_ranges(range);
	for (int i = 0; i < NR_RANGES; i++) {
		if (is_slack(mapping, &range[i])) {
			part.ours = true;
			part.end = mapping->end;
			break;
		}
		if (start >= range[i].start && start < range[i].end) {
			part.ours = true;
			part.end = min(part.end, range[i].end);
		} else if (start < range[i].start) {
			part.end = min(part.end, range[i].start);
		}
	}
	return part;
}

static int visit_mapping(const struct mapping *mapping, uintptr_t start,
			 struct visit *visit)
{
	int error = 0;

	while (start < mapping->end && !error) {
		struct part part = next_part(mapping, start);

		error = visit->part(&part, visit);
		start = part.end;
	}
	return error;
}

static int visit_parts(struct visit *visit)
{
	struct mapping mapping;
	struct maps maps;
	uintptr_t done = 0;
	int saved_errno = errno, error = 0;

	if (!maps_open(&maps)) {
		errno = saved_errno;
		return ENOENT;
	}
	while (!error && maps_next(&maps, &mapping)) {
		/* The page of the vsyscalls is the kernel's. */
		if ((intptr_t)mapping.start < 0)
			break;
		error = visit_mapping(&mapping, max(mapping.start, done),
				      visit);
		done = mapping.end;
	}
	maps_close(&maps);
	errno = saved_errno;
	return error;
}

static bool part_is_reserve(const struct part *part)
{
	return part->ours && !part->writable;
}

static int lock_part(const struct part *part, bool at_touch)
{
	return os_mlock((void *)part->start, part->end - part->start,
			at_touch);
}

/* As mlockall(2), which does not say what cannot be brought in. */
static void bring_in(const struct part *part, const struct visit *visit)
{
	if (visit->now && !part->ours)
		lock_part(part, false);
}

/* All is locked at its first touch. */
static int settle_part(const struct part *part, struct visit *visit)
{
	if (part_is_reserve(part))
		os_munlock((void *)part->start, part->end - part->start);
	bring_in(part, visit);
	return 0;
}

static int count_part(const struct part *part, struct visit *visit)
{
	if (!part_is_reserve(part))
		visit->bytes += part->end - part->start;
	return 0;
}

/* Nothing is locked yet. */
static int add_part(const struct part *part, struct visit *visit)
{
	int error;

	if (part_is_reserve(part))
		return 0;
	error = lock_part(part, true);
	/* A guard page has nothing to be locked. */
	if (error && part->accessible)
		return error;
	bring_in(part, visit);
	return 0;
}

/* Rule 2. Another thread that maps memory meanwhile may have it fail half-way:
 * what has been locked stays so. */
static int lock_by_parts(int flags)
{
	struct visit count = { .part = count_part };
	struct visit add = { .part = add_part, .now = !(flags & MCL_ONFAULT) };

	if (visit_parts(&count) || count.bytes > os_lock_limit() ||
	    visit_parts(&add))
		return ENOMEM;
	return flags & MCL_FUTURE ? os_mlockall(flags & ~MCL_CURRENT) : 0;
}

static int lock_current(int flags)
{
	struct visit settle = {
		.part = settle_part,
		.now = !(flags & MCL_ONFAULT),
	};
	int error = os_mlockall(flags | MCL_ONFAULT);

	if (error)
		return error == ENOMEM ? lock_by_parts(flags) : error;
	visit_parts(&settle);
	/* What is mapped from now on comes at once again. */
	if ((flags & MCL_FUTURE) && settle.now)
		os_mlockall(MCL_FUTURE);
	return 0;
}

/* The pages of the free block that starts there; 0: somebody has the page. */
static size_t free_block(size_t pfn)
{
	uint64_t word = page_word(pfn_to_page((uint32_t)pfn));

	switch (word_type(word)) {
	case PAGE_BUDDY:
	case PAGE_PCP:
	case PAGE_ISOLATED:
		return 1UL << word_order(word);
	default:
		return 0;
	}
}

/* In the section, under its zone's lock. */
static size_t section_in_use(const struct section *section, size_t *pfn)
{
	size_t start = *pfn & ~(SECTION_PAGES - 1);
	size_t end = start + section->online, at = max(*pfn, FIRST_PFN), n;

	while (at < end && (n = free_block(at)))
		at += n;
	*pfn = at;
	while (at < end && !free_block(at))
		at++;
	return at - *pfn;
}

size_t pages_in_use(size_t *pfn)
{
	size_t n = 0;

	lock_assert_held(&hotplug_lock);
	while (!n && *pfn >> SECTION_ORDER < nr_online_sections) {
		struct section *section = pfn_to_section(*pfn);
		size_t next = (*pfn | (SECTION_PAGES - 1)) + 1;

		lock_acquire(&section->zone->lock);
		n = section_in_use(section, pfn);
		lock_release(&section->zone->lock);
		if (!n)
			*pfn = next;
	}
	return n;
}

/* Whole pages of the machine; of a neighbour's, too. */
static void bring_in_pages(size_t pfn, size_t n)
{
	size_t start = align_down((size_t)pfn_to_address(pfn), os.page_size);
	size_t end = align_up((size_t)pfn_to_address(pfn + n), os.page_size);

	os_fault_in((void *)start, end - start);
}

/* A block that is freed meanwhile comes in as well; it reads as zero. */
static void bring_in_used(void)
{
	size_t pfn = 0, n;

	do {
		lock_acquire(&hotplug_lock);
		n = pages_in_use(&pfn);
		lock_release(&hotplug_lock);
		if (n)
			bring_in_pages(pfn, n);
		pfn += n;
	} while (n);
}

int process_mlockall(int flags)
{
	int kept = flags & MCL_CURRENT ? 0 : os_is_locked() ? MCL_CURRENT : 0;
	/* First: what another thread commits meanwhile is to be locked. */
	int before = os_set_locks((flags & MCL_BOTH) | kept);
	int error = flags & MCL_CURRENT ? lock_current(flags) :
					  os_mlockall(flags);

	if (error)
		os_set_locks(before);
	else if ((flags & MCL_CURRENT) && !(flags & MCL_ONFAULT))
		bring_in_used();
	return error;
}

int process_munlockall(void)
{
	int error = os_munlockall();

	if (!error)
		os_set_locks(0);
	return error;
}
