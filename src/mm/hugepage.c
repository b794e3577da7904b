#include "mm/hugepage.h"
#include "base/bitmap.h"
#include "base/options.h"
#include "os/limit.h"
#include "os/os.h"

#define SETTING	"/sys/kernel/mm/transparent_hugepage/enabled"

/* What there is to do, once the option and the system's setting are known. */
static enum {
	UNDECIDED,
	NOTHING,	/* nobody asks */
	ASK,		/* who asks has huge pages, others have none as it is */
	ASK_ALONE,	/* others have to be told that they have none */
	ALL,		/* all ask */
	NONE,		/* all have none */
} policy;		/* atomic */

static int policy_now(void)
{
	return __atomic_load_n(&policy, __ATOMIC_RELAXED);
}

bool hugepages_wanted(void)
{
	int now = policy_now();

	return now == ASK || now == ASK_ALONE;
}

#define HUGEPAGES_SLOW_US	2000
#define HUGEPAGES_DEAR_NS	5000

uint64_t hugepages_slow_us, hugepages_dear_ns;
static long pause;	/* pages that do without; atomic */

bool hugepages_may_ask(size_t n)
{
	if (!hugepages_wanted())
		return false;
	if (likely(__atomic_load_n(&pause, __ATOMIC_RELAXED) <= 0))
		return true;
	__atomic_fetch_sub(&pause, (long)n, __ATOMIC_RELAXED);
	return false;
}

static uint64_t fault_ns;	/* 0: not measured. Atomic */

static bool touch_is_cheap(void)
{
	uint64_t ns = __atomic_load_n(&fault_ns, __ATOMIC_RELAXED);

	return ns && ns < (hugepages_dear_ns ? hugepages_dear_ns :
					       HUGEPAGES_DEAR_NS);
}

static void learn_fault_ns(void)
{
	uint64_t ns;

	if (likely(__atomic_load_n(&fault_ns, __ATOMIC_RELAXED)))
		return;
	ns = os_fault_ns();
	/* Not to be told: not cheap. */
	__atomic_store_n(&fault_ns, ns ? ns : UINT64_MAX, __ATOMIC_RELAXED);
}

bool hugepages_suit_slabs(void)
{
	return touch_is_cheap() && hugepages_wanted();
}

void hugepages_learn(void)
{
	if (hugepages_wanted())
		learn_fault_ns();
}

static bool memory_is_limited(void)
{
	struct limit limit;

	limit_read(&limit);
	return limit.of_group;
}

/* thp=auto. */
static int policy_by_setting(void)
{
	char buf[64];

	if (os.page_size != PAGE_SIZE ||
	    os_read_file(SETTING, buf, sizeof(buf)) <= 0)
		return NOTHING;
	if (strstr(buf, "[madvise]"))
		return ASK;
	if (!strstr(buf, "[always]"))
		return NOTHING;
	learn_fault_ns();
	return touch_is_cheap() || memory_is_limited() ? ASK_ALONE : NOTHING;
}

void hugepages_decide(void)
{
	static const int by_option[] = {
		[THP_NEVER] = NONE,
		[THP_ALWAYS] = ALL,
		[THP_SYSTEM] = NOTHING,
	};

	if (likely(policy_now() != UNDECIDED))
		return;
	__atomic_store_n(&policy, options.thp == THP_AUTO ?
			 policy_by_setting() : by_option[options.thp],
			 __ATOMIC_RELAXED);
	hugepages_advise(vm.mapped_start, vm.mapped_end - vm.mapped_start);
}

void hugepages_advise(size_t pfn, size_t n)
{
	int now = policy_now();

	if (now == ALL || now == NONE || now == ASK_ALONE)
		os_hugepage(pfn_to_address(pfn), n << PAGE_SHIFT, now == ALL);
}

bool hugepages_note(uint64_t us)
{
	if (us < (hugepages_slow_us ? hugepages_slow_us : HUGEPAGES_SLOW_US))
		return true;
	__atomic_store_n(&pause, HUGEPAGES_PAUSE * PAGEBLOCK_PAGES,
			 __ATOMIC_RELAXED);
	return false;
}

bool hugepages_touch(uint32_t pfn)
{
	return hugepages_note(os_touch_ns(pfn_to_address(pfn)) / 1000);
}

static size_t pages_of(uint32_t pageblocks)
{
	return bitmap_count_word(pageblocks) << PAGEBLOCK_ORDER;
}

static void ask_in_section(struct section *section, uint32_t bits)
{
	uint32_t before = __atomic_fetch_or(&section->hugepages, bits,
					    __ATOMIC_RELAXED);

	__atomic_fetch_add(&section->zone->nr_asking, pages_of(bits & ~before),
			   __ATOMIC_RELAXED);
}

void hugepages_ask(uint32_t pfn, size_t n)
{
	size_t end = pfn + n;

	if (!os_hugepage(pfn_to_address(pfn), n << PAGE_SHIFT, true))
		return;
	for_each_section_part(at, some, pfn, end)
		ask_in_section(pfn_to_section(at),
			       section_pageblocks(at, at + some));
}

bool hugepages_asked(uint32_t pfn)
{
	return __atomic_load_n(&pfn_to_section(pfn)->hugepages,
			       __ATOMIC_RELAXED) &
	       section_pageblocks(pfn, (size_t)pfn + 1);
}

static void drop_in_section(struct section *section, size_t base, uint32_t bits)
{
	uint32_t before = __atomic_fetch_and(&section->hugepages, ~bits,
					     __ATOMIC_RELAXED);

	__atomic_fetch_sub(&section->zone->nr_asking, pages_of(before & bits),
			   __ATOMIC_RELAXED);
	while (bits) {
		unsigned int first = (unsigned int)__builtin_ctz(bits), n = 1;

		while (first + n < SECTION_PAGEBLOCKS &&
		       bits >> (first + n) & 1)
			n++;
		os_hugepage(pfn_to_address(base + first * PAGEBLOCK_PAGES),
			    n * PAGEBLOCK_SIZE, false);
		bits &= ~(uint32_t)(((1UL << n) - 1) << first);
	}
}

bool hugepages_drop(uint32_t pfn, size_t n)
{
	size_t end = pfn + n;
	bool asked = false;

	for_each_section_part(at, some, pfn, end) {
		struct section *section = pfn_to_section(at);
		uint32_t bits = __atomic_load_n(&section->hugepages,
						__ATOMIC_RELAXED);

		bits &= section_pageblocks(at, at + some);
		if (likely(!bits))
			continue;
		drop_in_section(section, at & ~(SECTION_PAGES - 1), bits);
		asked = true;
	}
	return asked;
}

/* Pages of [pfn, end) may be left of a huge page. */
static void split_rest(size_t pfn, size_t end)
{
	if (pfn < end)
		os_split_hugepage(pfn_to_address(pfn),
				  (end - pfn) << PAGE_SHIFT);
}

bool pages_purge(uint32_t pfn, size_t n)
{
	size_t end = pfn + n;
	bool asked = hugepages_drop(pfn, n);

	if (!os_purge(pfn_to_address(pfn), n << PAGE_SHIFT))
		return false;
	if (unlikely(asked)) {
		split_rest(align_down(pfn, PAGEBLOCK_PAGES), pfn);
		split_rest(end, align_up(end, PAGEBLOCK_PAGES));
	}
	return true;
}
