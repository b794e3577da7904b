"""peers - the allocators, and the proof of which of them serves a program.

1. Each is a library for LD_PRELOAD. glibc is preloaded, too: a program that
   is linked with another allocator (Debian's redis-server) gets libc's.
2. `limit` never frees. It is no peer but the bound that memory sets: it may
   take half of the machine's memory, and a row that needs more is left out.
3. The proof asks the dynamic linker (LD_DEBUG=bindings, LD_BIND_NOW=1) where
   it binds the allocation functions of the program, of libc and of every
   other library. All must go to the allocator. The program is ended as soon
   as it has control.
4. A library that cannot be preloaded, by what its name holds or by what it
   does, is refused before anything is measured.
"""
import dataclasses
import glob
import os
import re
import subprocess
import tempfile
import time

from . import processes
from .options import Refused, preload_fault
from .stats import BOUND, OWN, PEER

# name, Debian package, where the library may lie
KNOWN = [
    ("jemalloc", "libjemalloc2", "libjemalloc.so.2"),
    ("mimalloc", "libmimalloc2.0", "libmimalloc.so.2*"),
    ("tcmalloc", "libtcmalloc-minimal4", "libtcmalloc_minimal.so.4"),
]
FOLDERS = ["/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib",
    "/usr/local/lib"]
LIMIT_FULL = 111        # liblimit's exit status at its bound
PROOF_SECONDS = 20      # for a program to get control
PRELOAD_SECONDS = 10    # for /bin/true, all in all
PROVEN = {"malloc", "calloc", "realloc", "free", "malloc_usable_size"}
BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: "
    r"normal symbol `([^']+)'")
HAS_CONTROL = "transferring control: "
TUNING = re.compile(r"(JE_)?MALLOC_|MIMALLOC_|TCMALLOC_|ZBMALLOC_|"
    r"GLIBC_TUNABLES$|HEAPPROFILE|HEAPCHECK")


@dataclasses.dataclass
class Allocator:
    name: str
    role: str           # OWN, PEER or BOUND
    library: str
    version: str = ""


def find_libc():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            if re.search(r"/libc[.-][^/]*so[^/]*$", line):
                return line.split()[-1]
    raise Refused("no libc.so among the libraries of this process")


def package_version(library):
    """"PACKAGE VERSION" where dpkg knows the file, else its path."""
    try:
        # dpkg knows some files by the name before /lib became a link.
        for name in (library, os.path.realpath(library),
                "*" + os.path.realpath(library).removeprefix("/usr")):
            owner = subprocess.run(["dpkg-query", "-S", name], text=True,
                capture_output=True, check=False)
            if owner.returncode == 0:
                package = owner.stdout.split(": ")[0].split(",")[0]
                return subprocess.run(["dpkg-query", "-W",
                    "-f=${Package} ${Version}", package], text=True,
                    capture_output=True, check=True).stdout
    except FileNotFoundError:
        pass
    return library


def own_version(library):
    """The commit, where the library was built from a checkout."""
    try:
        done = subprocess.run(["git", "-C", os.path.dirname(__file__),
            "describe", "--always", "--dirty"], text=True,
            capture_output=True, check=False)
    except OSError:
        return "unknown"
    return f"commit {done.stdout.strip()}" if done.returncode == 0 else \
        os.path.basename(os.path.realpath(library))


def find(library, build, extra):
    """All allocators of this run, and what is missing: (name, package)."""
    found = [Allocator("zbmalloc", OWN, os.path.abspath(library),
        own_version(library))]
    libc = find_libc()
    found.append(Allocator("glibc", PEER, libc, package_version(libc)))
    missing = []
    for name, package, file in KNOWN:
        paths = [path for folder in FOLDERS
            for path in sorted(glob.glob(os.path.join(folder, file)))]
        if paths:
            found.append(Allocator(name, PEER, paths[0],
                package_version(paths[0])))
        else:
            missing.append((name, package))
    for name, path in extra:
        if name in [a.name for a in found]:
            raise Refused(f"--peer {name}: there is an allocator of that name")
        found.append(Allocator(name, PEER, path, package_version(path)))
    limit = os.path.join(build, "liblimit.so")
    if os.path.exists(limit):
        found.append(Allocator("limit", BOUND, limit, "never frees"))
    else:
        missing.append(("limit", "scripts/bench builds it"))
    for allocator in found:
        check_preload(allocator)
    return found, missing


def environment(additions=None):
    env = {name: value for name, value in os.environ.items()
        if not name.startswith("LD_")}
    env.update(additions or {})
    return env


def tuning():
    """Variables that would change how an allocator behaves."""
    return {name: value for name, value in os.environ.items()
        if TUNING.match(name)}


def check_preload(allocator):
    """The dynamic linker only warns about what it cannot preload."""
    library = allocator.library
    fault = preload_fault(library)
    if not fault:
        try:
            status, _, stderr = processes.run_bounded(["/bin/true"],
                PRELOAD_SECONDS, env=environment({"LD_PRELOAD": library}))
        except processes.TimedOut as error:
            fault = f"/bin/true under it {error}"
        else:
            said = stderr.decode(errors="replace").strip()
            if status:
                fault = "/bin/true under it: " + \
                    ", ".join(filter(None, [processes.say_status(status),
                        said]))
            elif "cannot be preloaded" in said:
                fault = said
    if fault:
        raise Refused(f"{allocator.name}: {library}: {fault}")


def judge_bindings(text, library):
    """None when the library serves all, else what does not go to it."""
    library = os.path.realpath(library)
    bindings = {}       # (file, symbol) to the files that it is bound to
    for source, target, symbol in BINDING.findall(text):
        if symbol in PROVEN:
            bindings.setdefault((os.path.realpath(source), symbol),
                set()).add(os.path.realpath(target))
    for (source, symbol), targets in bindings.items():
        for target in targets - {library}:
            # A program that is not position independent and takes the
            # function's address lends it an entry of its own table, which
            # jumps to where the program's own calls are bound.
            beyond = bindings.get((target, symbol), set()) - {target}
            if beyond != {library}:
                return f"{symbol} of {source} is served by {target}"
    if not any(symbol == "malloc" and "/libc.so" in source
            for source, symbol in bindings):
        return "no binding of libc's malloc was seen: a static program?"
    return None


def log_until_control(process, log):
    """What the linker has said so far; TimedOut when it takes too long."""
    until = time.monotonic() + PROOF_SECONDS
    text = ""
    while HAS_CONTROL not in text:
        if time.monotonic() > until:
            raise processes.TimedOut("timed out: it had no control after "
                f"{PROOF_SECONDS} s")
        ended = process.poll() is not None
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                text = file.read()
        if ended:
            break
        time.sleep(0.005)
    return text


def prove(command, cwd, env, library, preloaded=True):
    """None, or a text that says why this is no proof; or TimedOut."""
    with tempfile.TemporaryDirectory(prefix="zbm-proof-") as folder:
        prefix = os.path.join(folder, "log")
        env = environment(env)
        env.update(LD_BIND_NOW="1", LD_DEBUG="bindings,files",
            LD_DEBUG_OUTPUT=prefix)
        if preloaded:
            env["LD_PRELOAD"] = library
        process = subprocess.Popen(command, cwd=cwd, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            text = log_until_control(process, f"{prefix}.{process.pid}")
        finally:
            status = process.returncode
            processes.kill_group(process)
        if HAS_CONTROL not in text and status:
            return f"{processes.say_status(status)} before it had control"
        return judge_bindings(text, library)
