/*
 * libnuma - what `zbmalloc topology` prints, and where zbm_malloc_node places,
 * by the judgement of libnuma, which reads /sys in a way of its own.
 *
 * ZBM_COMMAND in the environment is the command.
 */
#include "../hard/hard.h"
#include "zbmalloc.h"

#include <dlfcn.h>
#include <numa.h>
#include <numaif.h>
#include <stdbool.h>

#define MAX_NODES	64
#define NR_PAGES	256

/* The kernel's numbers of the columns of the table of distances. */
static int column[MAX_NODES], nr_columns, nr_rows, nr_nodes;

static void check_node(int id, const char *said)
{
	bool memory = numa_bitmask_isbitset(numa_all_nodes_ptr,
					    (unsigned int)id);
	const char *total = strstr(said, "total ");
	long long bytes = numa_node_size64(id, NULL);

	nr_nodes++;
	CHECK_EQ(memory, total != NULL);
	if (total)
		CHECK_EQ(atoll(total + 6), bytes >> 20);
}

static void check_distances(int id, char *said)
{
	nr_rows++;
	for (int i = 0; i < nr_columns; i++)
		CHECK_EQ(strtol(said, &said, 10), numa_distance(id, column[i]));
}

static void check_line(char *line)
{
	char *said = strchr(line, ':');
	int id;

	if (!said++)
		return;
	if (sscanf(line, "node %d:", &id) == 1)
		check_node(id, said);
	else if (sscanf(line, "distances of %d:", &id) == 1)
		check_distances(id, said);
	else if (!strncmp(line, "distances to:", 13))
		while (nr_columns < MAX_NODES &&
		       sscanf(said, "%d", &column[nr_columns]) == 1)
			column[nr_columns++] = (int)strtol(said, &said, 10);
}

static void check_command(void)
{
	char line[1024];
	FILE *pipe;

	CHECK(getenv("ZBM_COMMAND"));
	snprintf(line, sizeof(line), "%s topology", getenv("ZBM_COMMAND"));
	pipe = popen(line, "r");
	CHECK(pipe);
	while (fgets(line, sizeof(line), pipe))
		check_line(line);
	CHECK_EQ(pclose(pipe), 0);
	CHECK_OP(nr_columns, >, 1);
	CHECK_EQ(nr_rows, nr_columns);
}

static void check_place(int id)
{
	void *(*malloc_node)(size_t, int) = (void *(*)(size_t, int))
		dlsym(RTLD_DEFAULT, "zbm_malloc_node");
	static void *page[NR_PAGES];
	static int status[NR_PAGES];
	char *p;

	CHECK(malloc_node);
	p = malloc_node((size_t)NR_PAGES * 4096, id);
	CHECK(p);
	for (int i = 0; i < NR_PAGES; i++) {
		page[i] = p + (size_t)i * 4096;
		*(char *)page[i] = 1;
	}
	CHECK_EQ(numa_move_pages(0, NR_PAGES, page, NULL, status, 0), 0);
	for (int i = 0; i < NR_PAGES; i++)
		CHECK_EQ(status[i], id);
	free(p);
}

int main(void)
{
	hard_start(240);
	if (numa_available() < 0 || numa_num_configured_nodes() < 2)
		SKIP("libnuma sees one node");
	check_command();
	for (int i = 0; i < nr_columns; i++)
		check_place(column[i]);
	hard_say("libnuma: %d nodes and %d distances as printed, %d pages on "
		 "each of %d nodes\n", nr_nodes, nr_rows * nr_columns,
		 NR_PAGES, nr_columns);
	return 0;
}
