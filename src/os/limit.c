#include "os/limit.h"
#include "base/print.h"
#include "os/os.h"

#define LINE_MAX_SIZE	1024	/* bytes of a line of /proc/self/cgroup */

char limit_root[64];

/* The number behind `name` at the start of a line; SIZE_MAX: no such line. */
static size_t limit_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (*text) {
		if (strncmp(text, name, length) == 0)
			return os_parse_number(text + length);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return SIZE_MAX;
}

static void limit_narrow(struct limit *limit, size_t size, size_t used)
{
	size_t left = used < size ? size - used : 0;

	limit->size = min(limit->size, size);
	limit->left = min(limit->left, left);
}

static void limit_of_machine(struct limit *limit)
{
	char buf[512];
	size_t total, available;

	if (os_read_file("/proc/meminfo", buf, sizeof(buf)) <= 0)
		return;
	total = limit_field(buf, "MemTotal:");
	available = limit_field(buf, "MemAvailable:");
	if (total != SIZE_MAX && available <= total)
		limit_narrow(limit, total << 10, (total - available) << 10);
}

/* How the two versions of cgroups name things; "total": with the groups that
 * lie in it, as usage and limits are. */
struct limit_names {
	const char *root, *limit, *usage, *cache, *shmem;
};

static const struct limit_names names_v1 = {
	"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
	"memory.usage_in_bytes", "total_cache ", "total_shmem ",
};
static const struct limit_names names_v2 = {
	"/sys/fs/cgroup", "memory.max", "memory.current", "file ", "shmem ",
};

static bool limit_file(const struct limit_names *names, const char *group,
		       const char *file, char *buf, size_t size)
{
	char path[LINE_MAX_SIZE + 128];

	return print_format(path, sizeof(path), "%s%s%s/%s", limit_root,
			    names->root, group, file) < sizeof(path) &&
	       os_read_file(path, buf, size) > 0;
}

/* What has been found out, and what all the machine has. */
struct search {
	struct limit *limit;
	size_t machine;
};

static void limit_of_group(const struct search *search,
			   const struct limit_names *names, const char *group)
{
	char buf[1024];
	size_t size, used, cache, shmem;

	/* "max" is no number: no limit. */
	if (!limit_file(names, group, names->limit, buf, sizeof(buf)) ||
	    buf[0] < '0' || buf[0] > '9')
		return;
	size = os_parse_number(buf);
	if (size >= search->machine ||
	    !limit_file(names, group, names->usage, buf, sizeof(buf)))
		return;
	/* Usage is exact; memory.stat lags by up to two seconds. */
	used = os_parse_number(buf);
	if (limit_file(names, group, "memory.stat", buf, sizeof(buf))) {
		cache = limit_field(buf, names->cache);
		shmem = limit_field(buf, names->shmem);
		/* Shared memory counts as cache, and is not dropped. */
		cache -= shmem < cache ? shmem : 0;
		used -= cache < used ? cache : 0;
	}
	limit_narrow(search->limit, size, used);
	search->limit->of_group = true;
}

/* There is one. */
static size_t last_slash(const char *path)
{
	size_t at = strlen(path);

	while (path[--at] != '/')
		;
	return at;
}

/* Of the group and all that it lies in; the root's name is empty. */
static void limit_of_groups(const struct search *search,
			    const struct limit_names *names, char *group)
{
	if (!group[1])
		group[0] = '\0';
	limit_of_group(search, names, group);
	while (*group) {
		group[last_slash(group)] = '\0';
		limit_of_group(search, names, group);
	}
}

/* "0::/path" is of version 2, "N:memory:/path" of version 1. */
static void limit_of_line(char *line, void *search)
{
	char *group = line + strcspn(line, "/");

	if (*group && strncmp(line, "0::", 3) == 0)
		limit_of_groups(search, &names_v2, group);
	else if (*group && strstr(line, ":memory:"))
		limit_of_groups(search, &names_v1, group);
}

void limit_read(struct limit *limit)
{
	struct search search = { .limit = limit };
	char path[128], line[LINE_MAX_SIZE];
	int saved_errno = errno;

	*limit = (struct limit){ SIZE_MAX, SIZE_MAX, false };
	limit_of_machine(limit);
	search.machine = limit->size;
	print_format(path, sizeof(path), "%s/proc/self/cgroup", limit_root);
	os_read_lines(path, line, sizeof(line), limit_of_line, &search);
	errno = saved_errno;
}
