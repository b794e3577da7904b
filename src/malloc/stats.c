/*
 * stats - the text is made line by line in the caller's buffer, which is
 * written whenever the next line does not fit.
 */
#include "malloc/stats.h"
#include "base/print.h"
#include "malloc/introspect.h"
#include "os/os.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(STATS_NUMBER >= NODE_NAME, "figures_node_name fits");

#define STATS_BUFFER	2048	/* bytes; of malloc_stats, on the stack */
#define STATUS_SIZE	2048	/* bytes of /proc/self/status that we read */

struct text {
	int fd;
	char *buf;
	size_t size, len;
};

/* Writes the whole lines, or what there is of one that fills the buffer. */
static void text_flush(struct text *text)
{
	size_t n = text->len;

	while (n && text->buf[n - 1] != '\n')
		n--;
	n = n ? n : text->len;
	print_write(text->fd, text->buf, n);
	text->len -= n;
	memmove(text->buf, text->buf + n, text->len);
}

/* Adds a piece of a line. */
static void text_add(struct text *text, const char *fmt, ...)
	printf_like(2, 3);

static void text_add(struct text *text, const char *fmt, ...)
{
	va_list ap;
	size_t len, room;

	do {
		room = text->size - text->len;
		va_start(ap, fmt);
		len = print_vformat(text->buf + text->len, room, fmt, ap);
		va_end(ap);
		if (len < room) {
			text->len += len;
			return;
		}
		text_flush(text);
	} while (text->size - text->len > room);
}

const char *stats_number(char buf[STATS_NUMBER], uint64_t n)
{
	char digits[STATS_NUMBER];
	size_t len = print_format(digits, sizeof(digits), "%lu", n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

const char *stats_bytes(char buf[STATS_NUMBER], uint64_t n)
{
	static const char units[] = "KMGTPE";
	uint64_t tenths;
	unsigned int i = 0;

	if (n < 1024) {
		print_format(buf, STATS_NUMBER, "%lu B", n);
		return buf;
	}
	/* From 1023.95 on it would be shown as 1024.0. */
	while (n >> 20 || n * 10 + 512 >= 10240UL << 10) {
		n >>= 10;
		i++;
	}
	tenths = (n * 10 + 512) >> 10;
	print_format(buf, STATS_NUMBER, "%lu.%lu %ciB", tenths / 10,
		     tenths % 10, units[i]);
	return buf;
}

static const char *stats_pages(char buf[STATS_NUMBER], uint64_t n)
{
	return stats_bytes(buf, n << PAGE_SHIFT);
}

/* 0: not found. getrusage has a peak too, but one that began before exec. */
static size_t peak_resident(void)
{
	char buf[STATUS_SIZE];

	return os_read_file("/proc/self/status", buf, sizeof(buf)) > 0 ?
		os_parse_kib(buf, "VmHWM:") : 0;
}

void stats_process(struct stats_process *process)
{
	int saved_errno = errno;
	struct rusage usage = { 0 };

	syscall(SYS_getrusage, RUSAGE_SELF, &usage);
	process->nr_faults = (uint64_t)usage.ru_minflt;
	process->resident = os_resident();
	process->peak_resident = max(peak_resident(), process->resident);
	errno = saved_errno;
}

const char *stats_resident(char buf[STATS_RESIDENT],
			   const struct stats_process *process)
{
	char resident[STATS_NUMBER], peak[STATS_NUMBER];

	if (process->resident)
		print_format(buf, STATS_RESIDENT, "%s (peak %s)",
			     stats_bytes(resident, process->resident),
			     stats_bytes(peak, process->peak_resident));
	else
		print_format(buf, STATS_RESIDENT, "unknown");
	return buf;
}

static void stats_blocks(struct text *text, const struct figures *f)
{
	char a[STATS_NUMBER], b[STATS_NUMBER], c[STATS_NUMBER];

	text_add(text, "calls        %s%s mallocs, %s frees\n",
		 f->calls_counted ? "" : "at least ",
		 stats_number(a, f->nr_alloc), stats_number(b, f->nr_free));
	text_add(text, "live         %s in %s blocks",
		 stats_bytes(a, f->live_bytes), stats_number(b, f->nr_live));
	if (f->huge.nr_live)
		text_add(text, "; of these %s in %s huge ones",
			 stats_bytes(a, f->huge.live_bytes),
			 stats_number(b, f->huge.nr_live));
	text_add(text, "\ncached       %s in %s blocks, by %s heaps and the "
		 "barns\n", stats_bytes(a, f->cached_bytes),
		 stats_number(b, f->nr_cached), stats_number(c, f->nr_heaps));
}

static void stats_memory(struct text *text, const struct figures *f)
{
	const struct zone_figures *zones = &f->zones;
	char a[STATS_NUMBER], b[STATS_NUMBER], c[STATS_NUMBER];

	text_add(text, "pages        %s used (peak %s), of these %s on pcp "
		 "lists\n", stats_pages(a, zones->used),
		 stats_pages(b, zones->peak_used),
		 stats_pages(c, f->pcp_pages));
	text_add(text, "             %s free, of these %s dirty; %s so far "
		 "given back\n", stats_pages(a, zones->free),
		 stats_pages(b, zones->free_dirty),
		 stats_pages(c, zones->nr_purged));
	text_add(text, "metadata     %s in use, %s committed, %s reserved\n",
		 stats_bytes(a, f->meta_in_use),
		 stats_bytes(b, f->meta_committed),
		 stats_bytes(c, f->meta_reserved));
	text_add(text, "page map     %s committed, %s reserved\n",
		 stats_bytes(a, f->map_committed),
		 stats_bytes(b, f->map_reserved));
}

static void stats_kernel(struct text *text)
{
	char a[STATS_NUMBER], b[STATS_NUMBER];
	uint64_t n;

	text_add(text, "kernel       %s commits, %s purges\n",
		 stats_number(a, __atomic_load_n(&os.nr_commits,
						 __ATOMIC_RELAXED)),
		 stats_number(b, __atomic_load_n(&os.nr_purges,
						 __ATOMIC_RELAXED)));
	for (int i = 0; i < NR_OS_REFUSALS; i++) {
		n = __atomic_load_n(&os.refused[i], __ATOMIC_RELAXED);
		if (n)
			text_add(text, "refused      %s, %s times\n",
				 os_refusal_names[i], stats_number(a, n));
	}
}

static void stats_of_process(struct text *text)
{
	struct stats_process process;
	char resident[STATS_RESIDENT], faults[STATS_NUMBER];

	stats_process(&process);
	text_add(text, "process      resident %s, %s page faults\n",
		 stats_resident(resident, &process),
		 stats_number(faults, process.nr_faults));
}

#define CLASS_ROW "%9s %13s %13s %10s %8s %6s %10s %4s\n"

static void stats_class(struct text *text, unsigned int i,
			const struct class_figures *class)
{
	char size[STATS_NUMBER], nr_alloc[STATS_NUMBER], nr_free[STATS_NUMBER];
	char live[STATS_NUMBER], cached[STATS_NUMBER], slabs[STATS_NUMBER];
	char bytes[STATS_NUMBER], share[STATS_NUMBER];
	size_t all = figures_class_bytes(class);

	print_format(share, sizeof(share), "%zu%%", all ?
		     class->nr_live * size_classes[i].size * 100 / all : 0);
	text_add(text, CLASS_ROW, stats_number(size, size_classes[i].size),
		 stats_number(nr_alloc, class->nr_alloc),
		 stats_number(nr_free, class->nr_free),
		 stats_number(live, class->nr_live),
		 stats_number(cached, class->nr_cached),
		 class_is_small(i) ? stats_number(slabs, class->nr_slabs) :
				     "-",
		 stats_bytes(bytes, all), share);
}

static void stats_huge(struct text *text, const struct huge_counts *huge)
{
	char nr_alloc[STATS_NUMBER], nr_free[STATS_NUMBER];
	char live[STATS_NUMBER], bytes[STATS_NUMBER];

	text_add(text, CLASS_ROW, "huge",
		 stats_number(nr_alloc, huge->nr_alloc),
		 stats_number(nr_free, huge->nr_free),
		 stats_number(live, huge->nr_live), "-", "-",
		 stats_bytes(bytes, huge->live_bytes),
		 huge->nr_live ? "100%" : "0%");
}

static void stats_classes(struct text *text, const struct figures *f)
{
	text_add(text, "\n" CLASS_ROW, "size", "mallocs", "frees", "live",
		 "cached", "slabs", "memory", "use");
	for (unsigned int i = 0; i < NR_CLASSES; i++)
		if (figures_class_is_used(&f->class[i]))
			stats_class(text, i, &f->class[i]);
	if (f->huge.nr_alloc)
		stats_huge(text, &f->huge);
}

#define NODE_ROW "%4s %14s %14s %14s %14s %14s\n"

static void stats_node(struct text *text, const struct node_figures *f)
{
	char id[STATS_NUMBER], managed[STATS_NUMBER], used[STATS_NUMBER];
	char unused[STATS_NUMBER], dirty[STATS_NUMBER], limit[STATS_NUMBER];

	print_format(id, sizeof(id), "%d", f->id);
	text_add(text, NODE_ROW, id, stats_pages(managed, f->zones.managed),
		 stats_pages(used, f->zones.used),
		 stats_pages(unused, f->zones.free),
		 stats_pages(dirty, f->zones.free_dirty),
		 f->limit == SIZE_MAX ? "-" : stats_pages(limit, f->limit));
}

#define NUMA_STAT_ROW "%4s %11s %11s %12s %14s %11s %11s\n"

static void stats_numa_stat(struct text *text, const struct node_figures *f)
{
	char n[NR_NUMA_STAT_ITEMS][STATS_NUMBER], id[STATS_NUMBER];

	for (int i = 0; i < NR_NUMA_STAT_ITEMS; i++)
		stats_number(n[i], f->numa_stat[i]);
	print_format(id, sizeof(id), "%d", f->id);
	text_add(text, NUMA_STAT_ROW, id, n[0], n[1], n[2], n[3], n[4], n[5]);
}

static_assert(NR_NUMA_STAT_ITEMS == 6, "a row has as many columns");

static void stats_nodes(struct text *text)
{
	const char *const *name = numa_stat_names;
	struct node_figures figures;

	text_add(text, "\n" NODE_ROW, "node", "managed", "used", "free",
		 "free dirty", "limit");
	for (int node = 0; node < topology.nr_nodes; node++)
		if (figures_of_node(&figures, node))
			stats_node(text, &figures);
	text_add(text, "\npages of 4 KiB taken of each node, as numastat(8) "
		 "has them:\n" NUMA_STAT_ROW, "node", name[0], name[1],
		 name[2], name[3], name[4], name[5]);
	for (int node = 0; node < topology.nr_nodes; node++)
		if (figures_of_node(&figures, node))
			stats_numa_stat(text, &figures);
}

/* As buddyinfo and pagetypeinfo, but with an order in each row. */
static void stats_free_blocks(struct text *text, struct zone *zone)
{
	size_t blocks[NR_PAGE_ORDERS][NR_MIGRATETYPES];
	char buf[STATS_NUMBER];

	figures_count_blocks(blocks, zone);
	text_add(text, "  free blocks");
	for (int type = 0; type < NR_MIGRATETYPES; type++)
		text_add(text, " %12s", migratetype_names[type]);
	text_add(text, "\n");
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		size_t sum = 0;

		for (int type = 0; type < NR_MIGRATETYPES; type++)
			sum += blocks[order][type];
		if (!sum)
			continue;
		text_add(text, "%13s", stats_pages(buf, 1UL << order));
		for (int type = 0; type < NR_MIGRATETYPES; type++)
			text_add(text, " %12s",
				 stats_number(buf, blocks[order][type]));
		text_add(text, "\n");
	}
}

static void stats_zone(struct text *text, struct zone *zone)
{
	struct zone_figures f;
	char a[STATS_NUMBER], b[STATS_NUMBER], c[STATS_NUMBER];
	char d[STATS_NUMBER], e[STATS_NUMBER];

	figures_of_zone(&f, zone);
	if (!f.managed)
		return;
	text_add(text, "\nnode %s, zone %s: %s\n", figures_node_name(a, zone),
		 zone->name, stats_pages(b, f.managed));
	text_add(text, "  %s used (peak %s), %s free (%s dirty), "
		 "%s isolated\n", stats_pages(a, f.used),
		 stats_pages(b, f.peak_used), stats_pages(c, f.free),
		 stats_pages(d, f.free_dirty), stats_pages(e, f.isolated));
	text_add(text, "  so far %s grown, %s purged, %s migrated, "
		 "%s fallbacks\n"
		 "  %s ask for huge pages\n", stats_pages(a, f.nr_grown),
		 stats_pages(b, f.nr_purged), stats_pages(c, f.nr_migrated),
		 stats_number(d, f.nr_fallback), stats_pages(e, f.asking));
	stats_free_blocks(text, zone);
}

void stats_print(int fd, char *buf, size_t size)
{
	struct text text = { .fd = fd, .buf = buf, .size = size };
	struct figures figures;
	struct zone *zone;

	figures_gather(&figures);
	stats_blocks(&text, &figures);
	stats_memory(&text, &figures);
	stats_kernel(&text);
	stats_of_process(&text);
	stats_classes(&text, &figures);
	if (figures_have_nodes())
		stats_nodes(&text);
	for_each_zone(zone)
		stats_zone(&text, zone);
	text_flush(&text);
}

/*
 * A thread that is cancelled in here must leave no lock behind. A deferred
 * cancellation finds no place for that: print writes by syscall(2). (Not
 * pthread_setcancelstate: when glibc's lets a pending asynchronous one in,
 * the thread's result is not PTHREAD_CANCELED.)
 */
void mem_stats(void)
{
	char buf[STATS_BUFFER];
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	stats_print(STDERR_FILENO, buf, sizeof(buf));
	pthread_setcanceltype(type, &type);
}
