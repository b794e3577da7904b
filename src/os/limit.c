#include "os/limit.h"
#include "base/print.h"
#include "os/os.h"

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

/* How the two versions of cgroups name things. */
struct limit_names {
	const char *root, *limit, *usage, *cache;
};

static const struct limit_names names_v1 = {
	"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
	"memory.usage_in_bytes", "cache ",
};
static const struct limit_names names_v2 = {
	"/sys/fs/cgroup", "memory.max", "memory.current", "file ",
};

static bool limit_file(const struct limit_names *names, const char *group,
		       const char *file, char *buf, size_t size)
{
	char path[512];

	return print_format(path, sizeof(path), "%s%s/%s", names->root, group,
			    file) < sizeof(path) &&
	       os_read_file(path, buf, size) > 0;
}

static void limit_of_group(struct limit *limit,
			   const struct limit_names *names, const char *group)
{
	char buf[1024];
	size_t size, used, cache, shmem;

	/* "max" is no number: no limit. */
	if (!limit_file(names, group, names->limit, buf, sizeof(buf)) ||
	    buf[0] < '0' || buf[0] > '9')
		return;
	size = os_parse_number(buf);
	if (size >= limit->size ||
	    !limit_file(names, group, names->usage, buf, sizeof(buf)))
		return;
	/* Usage is exact; memory.stat lags by up to two seconds. */
	used = os_parse_number(buf);
	if (limit_file(names, group, "memory.stat", buf, sizeof(buf))) {
		cache = limit_field(buf, names->cache);
		shmem = limit_field(buf, "shmem ");
		/* Shared memory counts as cache, and is not dropped. */
		cache -= shmem < cache ? shmem : 0;
		used -= cache < used ? cache : 0;
	}
	limit_narrow(limit, size, used);
	limit->of_group = true;
}

/* The lines of /proc/self/cgroup: "0::/path" is of version 2,
 * "N:memory:/path" of version 1. */
static void limit_of_groups(struct limit *limit)
{
	char buf[1024], *line, *end, *group;

	if (os_read_file("/proc/self/cgroup", buf, sizeof(buf)) <= 0)
		return;
	for (line = buf; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		group = line + strcspn(line, "/");
		if (*group && strncmp(line, "0::", 3) == 0)
			limit_of_group(limit, &names_v2, group);
		else if (*group && strstr(line, ":memory:"))
			limit_of_group(limit, &names_v1, group);
	}
}

void limit_read(struct limit *limit)
{
	int saved_errno = errno;

	*limit = (struct limit){ SIZE_MAX, SIZE_MAX, false };
	limit_of_machine(limit);
	limit_of_groups(limit);
	errno = saved_errno;
}
