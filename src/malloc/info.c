/*
 * info - malloc_info(3): the figures as XML.
 *
 * 1. The elements at the end, total, system and aspace, are those of glibc,
 *    with the meaning that mallinfo2 gives them; the others are ours.
 * 2. stdio may allocate, block, and be cancelled: no lock is held and
 *    nothing has to be undone while it is at work. Elsewhere the thread is
 *    not cancelled, whatever its type of cancellation.
 */
#include "malloc/introspect.h"

#include <pthread.h>

static void info_classes(FILE *stream, const struct figures *figures)
{
	fprintf(stream, "<classes calls=\"%s\">\n",
		figures->calls_counted ? "counted" : "at least");
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		const struct class_figures *class = &figures->class[i];

		if (!figures_class_is_used(class))
			continue;
		fprintf(stream, "  <class size=\"%u\" mallocs=\"%lu\" "
			"frees=\"%lu\" live=\"%zu\" cached=\"%zu\" "
			"slabs=\"%zu\" bytes=\"%zu\"/>\n", size_classes[i].size,
			class->nr_alloc, class->nr_free, class->nr_live,
			class->nr_cached, class->nr_slabs,
			figures_class_bytes(class));
	}
	fprintf(stream, "  <huge mallocs=\"%lu\" frees=\"%lu\" live=\"%zu\" "
		"bytes=\"%zu\"/>\n</classes>\n", figures->huge.nr_alloc,
		figures->huge.nr_free, figures->huge.nr_live,
		figures->huge.live_bytes);
}

static void info_blocks(FILE *stream, struct zone *zone)
{
	size_t blocks[NR_PAGE_ORDERS][NR_MIGRATETYPES];

	figures_count_blocks(blocks, zone);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		for (int type = 0; type < NR_MIGRATETYPES; type++)
			if (blocks[order][type])
				fprintf(stream, "  <free type=\"%s\" "
					"order=\"%u\" count=\"%zu\"/>\n",
					migratetype_names[type], order,
					blocks[order][type]);
}

/* A limit that there is not has no attribute. */
static void info_node(FILE *stream, const struct node_figures *figures)
{
	const struct zone_figures *zones = &figures->zones;

	fprintf(stream, "  <node id=\"%d\" page=\"%lu\" managed=\"%zu\" "
		"used=\"%zu\" free=\"%zu\" dirty=\"%zu\"", figures->id,
		PAGE_SIZE, zones->managed, zones->used, zones->free,
		zones->free_dirty);
	if (figures->limit != SIZE_MAX)
		fprintf(stream, " limit=\"%zu\"", figures->limit);
	fputs(">\n    <numastat", stream);
	for (int i = 0; i < NR_NUMA_STAT_ITEMS; i++)
		fprintf(stream, " %s=\"%lu\"", numa_stat_names[i],
			figures->numa_stat[i]);
	fputs("/>\n  </node>\n", stream);
}

static void info_nodes(FILE *stream)
{
	struct node_figures figures;

	if (!figures_have_nodes())
		return;
	fputs("<nodes>\n", stream);
	for (int node = 0; node < topology.nr_nodes; node++)
		if (figures_of_node(&figures, node))
			info_node(stream, &figures);
	fputs("</nodes>\n", stream);
}

static void info_zone(FILE *stream, struct zone *zone)
{
	struct zone_figures figures;
	char node[NODE_NAME];

	figures_of_zone(&figures, zone);
	fprintf(stream, "<zone node=\"%s\" name=\"%s\" page=\"%lu\" "
		"managed=\"%zu\" used=\"%zu\" peak=\"%zu\" free=\"%zu\" "
		"dirty=\"%zu\" isolated=\"%zu\" grown=\"%lu\" "
		"purged=\"%lu\" migrated=\"%lu\" fallback=\"%lu\" "
		"hugepages=\"%zu\">\n",
		figures_node_name(node, zone), zone->name, PAGE_SIZE,
		figures.managed, figures.used, figures.peak_used, figures.free,
		figures.free_dirty, figures.isolated, figures.nr_grown,
		figures.nr_purged, figures.nr_migrated, figures.nr_fallback,
		figures.asking);
	info_blocks(stream, zone);
	fputs("</zone>\n", stream);
}

static void info_zones(FILE *stream)
{
	struct zone *zone;

	fputs("<zones>\n", stream);
	for_each_zone(zone)
		info_zone(stream, zone);
	fputs("</zones>\n", stream);
}

static void info_heaps(FILE *stream, const struct figures *figures)
{
	fprintf(stream, "<heaps count=\"%zu\" cached=\"%zu\" "
		"cached_bytes=\"%zu\" pcp_pages=\"%zu\"/>\n",
		figures->nr_heaps, figures->nr_cached, figures->cached_bytes,
		figures->pcp_pages);
}

static void info_metadata(FILE *stream, const struct figures *figures)
{
	fprintf(stream, "<metadata in_use=\"%zu\" used=\"%zu\" "
		"committed=\"%zu\" reserved=\"%zu\" map_committed=\"%zu\" "
		"map_reserved=\"%zu\"/>\n", figures->meta_in_use,
		figures->meta_used, figures->meta_committed,
		figures->meta_reserved, figures->map_committed,
		figures->map_reserved);
}

/* As glibc ends the document. */
static void info_totals(FILE *stream, const struct mallinfo2 *info)
{
	fprintf(stream, "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n",
		info->smblks, info->fsmblks, info->ordblks,
		info->fordblks - info->fsmblks, info->hblks, info->hblkhd);
	fprintf(stream, "<system type=\"current\" size=\"%zu\"/>\n"
		"<system type=\"max\" size=\"%zu\"/>\n", info->arena,
		info->usmblks);
}

static void info_aspace(FILE *stream, const struct zone_figures *zones)
{
	size_t size = zones->managed << PAGE_SHIFT;

	fprintf(stream, "<aspace type=\"total\" size=\"%zu\"/>\n"
		"<aspace type=\"mprotect\" size=\"%zu\"/>\n", size, size);
}

int mem_info(int options, FILE *stream)
{
	struct figures figures;
	struct mallinfo2 info;
	int type;

	if (options)
		return EINVAL;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	info = mem_mallinfo2();
	figures_gather(&figures);
	fputs("<malloc version=\"1\">\n", stream);
	info_heaps(stream, &figures);
	info_classes(stream, &figures);
	info_nodes(stream);
	info_zones(stream);
	info_metadata(stream, &figures);
	info_totals(stream, &info);
	info_aspace(stream, &figures.zones);
	fputs("</malloc>\n", stream);
	pthread_setcanceltype(type, &type);
	return 0;
}
