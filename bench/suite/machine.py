"""machine - what the figures of a run were taken on."""
import os
import platform
import re

from . import peers

CONFIGURATION = ["/etc/zbmalloc.conf", "/etc/malloc.conf"]


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def field(text, pattern):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def memory_mib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def thp():
    """The setting is the word in brackets."""
    return field(read("/sys/kernel/mm/transparent_hugepage/enabled"),
        r"\[(\w+)\]")


def cache_sizes():
    """"L1d 32K, L2 1024K, ..." of the first CPU."""
    folder = "/sys/devices/system/cpu/cpu0/cache"
    sizes = []
    for index in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not index.startswith("index"):
            continue
        level, kind, size = (read(f"{folder}/{index}/{name}").strip()
            for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes.append(f"L{level} {size}")
    return ", ".join(sizes) or "unknown"


def configuration():
    """Files that change how an allocator behaves; jemalloc's may be a link
    that has the options for a name."""
    return [f"{path} -> {os.readlink(path)}" if os.path.islink(path) else path
        for path in CONFIGURATION if os.path.lexists(path)]


def describe():
    cpuinfo = read("/proc/cpuinfo")
    return {
        "CPU": field(cpuinfo, r"^model name\s*:(.*)$"),
        "CPUs": len(os.sched_getaffinity(0)),
        "virtual machine": bool(re.search(r"^flags.*\bhypervisor\b", cpuinfo,
            re.MULTILINE)),
        "caches": cache_sizes(),
        "memory MiB": memory_mib(),
        "kernel": f"{platform.system()} {platform.release()} "
            f"{platform.machine()}",
        "distribution": field(read("/etc/os-release"),
            r'^PRETTY_NAME="?([^"\n]*)'),
        "libc": " ".join(os.confstr("CS_GNU_LIBC_VERSION").split()),
        "transparent huge pages": thp(),
        "page size": os.sysconf("SC_PAGE_SIZE"),
        "load before": round(os.getloadavg()[0], 2),
        "variables": peers.tuning(),
        "configuration": configuration(),
    }
