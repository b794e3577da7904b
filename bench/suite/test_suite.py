"""test_suite - what the suite must notice, tried on small false programs.

	PYTHONPATH=bench ZBM_BENCH_BUILD=BUILD/bench python3 -m \\
		unittest suite.test_suite suite.test_output

1. Runs are real: zbm-measure starts shell scripts that crash, print wrong
   sums or end well. Without ZBM_BENCH_BUILD it is compiled for the occasion.
2. The bound is the real liblimit.so; `glibc` stands for all other allocators.
"""
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from . import peers, runner, stats
from .rows import Row, workload_check, workload_output, workload_time

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO_BUILTIN = ["-fno-builtin-malloc", "-fno-builtin-calloc",
    "-fno-builtin-realloc", "-fno-builtin-free"]


def setUpModule():
    global build, scratch
    scratch = tempfile.TemporaryDirectory(prefix="zbm-test-suite-")
    build = os.environ.get("ZBM_BENCH_BUILD")
    if build:
        build = os.path.abspath(build)
        return
    build = scratch.name
    compile_c("measure.c", "zbm-measure")
    compile_c("limit.c", "liblimit.so", "-shared", "-fPIC", *NO_BUILTIN)


def tearDownModule():
    scratch.cleanup()


def compile_c(source, target, *flags):
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2",
        "-D_GNU_SOURCE", *flags, os.path.join(BENCH, source), "-o",
        os.path.join(build, target)], check=True)


def allocators():
    libc = peers.find_libc()
    return [peers.Allocator("zbmalloc", stats.OWN, libc),
        peers.Allocator("glibc", stats.PEER, libc)]


def script_row(text, **more):
    """The script knows its allocator by LD_PRELOAD."""
    return Row(name="workload/script", kind="workload",
        command=["/bin/sh", "-c", text], output=workload_output,
        check=workload_check, time=workload_time, **more)


GOOD = """echo checksum=12ab; echo '{"seconds": 0.01, "operations": 5}' >&2"""


def run_script(text, chosen=None, rounds=2, **more):
    row = script_row(text, **more)
    plan = runner.Plan(rows=[row], allocators=chosen or allocators(),
        build=build, folder=scratch.name, rounds=rounds, memory_mib=512)
    results, done, _ = runner.run(plan, lambda *ignored: None)
    assert done == rounds
    return results[row.name]


class Runs(unittest.TestCase):
    def test_good_run_has_every_metric(self):
        result = run_script("sleep 0.05; " + GOOD)["glibc"]
        self.assertEqual(result["state"], stats.OK)
        self.assertEqual(len(result["samples"]), 2)
        sample = result["samples"][0]
        self.assertEqual(sample["time"], 0.01)
        self.assertGreater(sample["wall"], 0.05)
        for metric in stats.METRICS:
            self.assertIn(metric, sample)
        self.assertGreater(sample["peak_kib"], 500)

    def test_crash_says_fail_with_signal_and_stderr(self):
        result = run_script("echo dying >&2; kill -SEGV $$")["zbmalloc"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertEqual(result["why"], "killed by SIGSEGV")
        self.assertEqual(result["signal"], 11)
        self.assertIn("dying", result["stderr"])

    def test_exit_status_says_fail(self):
        result = run_script(GOOD + "; exit 3")["glibc"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertEqual((result["why"], result["exit"]),
            ("exit status 3", 3))

    def test_missing_program_says_fail(self):
        row = script_row("")
        row.command = ["/nowhere/program"]
        result = {"state": stats.OK, "samples": [], "digests": []}
        plan = runner.Plan([row], allocators(), build, scratch.name, 1)
        runner.run_once(row, plan.allocators[1], plan, result, 0)
        self.assertEqual(result["why"], "exit status 127")

    def test_implausible_checksum_says_fail(self):
        result = run_script(GOOD.replace("12ab", "none"))["glibc"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertIn("wrong output", result["why"])

    def test_checksum_unlike_glibcs_says_fail(self):
        extra = peers.Allocator("limit", stats.PEER,
            os.path.join(build, "liblimit.so"))
        wrong = 'case $LD_PRELOAD in *limit*) s=34;; *) s=12ab;; esac; ' + \
            GOOD.replace("12ab", "$s")
        results = run_script(wrong, allocators() + [extra])
        self.assertEqual(results["zbmalloc"]["state"], stats.OK)
        self.assertEqual(results["limit"]["state"], stats.FAIL)
        self.assertIn("differs from glibc's", results["limit"]["why"])

    def test_checksum_that_changes_says_fail(self):
        result = run_script(GOOD.replace("12ab", "$$"))["glibc"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertIn("from run to run", result["why"])

    def test_missing_seconds_say_fail(self):
        result = run_script("echo checksum=12ab")["glibc"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertIn("no line of JSON", result["why"])

    def test_bound_that_is_full_is_left_out(self):
        bound = peers.Allocator("limit", stats.BOUND,
            os.path.join(build, "liblimit.so"))
        row = script_row("x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
        result = {"state": stats.OK, "samples": [], "digests": []}
        plan = runner.Plan([row], [bound], build, scratch.name, 1,
            memory_mib=256)
        runner.run_once(row, bound, plan, result, 0)
        self.assertEqual(result["state"], stats.LEFT_OUT)

    def test_server_counts_by_its_client(self):
        done = os.path.join(scratch.name, "ready")
        row = script_row(f": >{done}; exec sleep 100",
            client=["/bin/sh", "-c", 'sleep 0.2; test -z "$LD_PRELOAD" && '
                'echo checksum=12ab'], ready=lambda cwd: os.path.exists(done))
        row.time = None
        result = {"state": stats.OK, "samples": [], "digests": []}
        plan = runner.Plan([row], allocators(), build, scratch.name, 1)
        with unittest.mock.patch.object(runner, "END_SECONDS", 0.1):
            runner.run_once(row, plan.allocators[0], plan, result, 0)
        self.assertEqual(result["state"], stats.OK, result)
        self.assertTrue(0.2 < result["samples"][0]["time"] < 3)

    def test_order_is_drawn_anew_and_repeatable(self):
        many = [peers.Allocator(f"a{i}", stats.PEER, "") for i in range(5)]
        plan = runner.Plan([script_row("")], many, build, "", 1)
        orders = [[a.name for a in order] for number in range(6)
            for _, order in runner.jobs_of_round(plan, number)]
        again = [[a.name for a in order] for number in range(6)
            for _, order in runner.jobs_of_round(plan, number)]
        self.assertEqual(orders, again)
        self.assertGreater(len(set(map(tuple, orders))), 3)

    def test_budget_ends_the_rounds(self):
        row = script_row("sleep 0.2; " + GOOD)
        plan = runner.Plan([row], allocators(), build, scratch.name,
            rounds=50, budget=1.5)
        _, done, _ = runner.run(plan, lambda *ignored: None)
        self.assertTrue(1 <= done <= 3, done)


class Proofs(unittest.TestCase):
    def test_preloaded_library_serves(self):
        limit = os.path.join(build, "liblimit.so")
        self.assertIsNone(peers.prove(["/bin/true"], "/", {}, limit))
        libc = peers.find_libc()
        self.assertIsNone(peers.prove(["/bin/true"], "/", {}, libc))

    def test_another_library_that_serves_is_found_out(self):
        limit = os.path.join(build, "liblimit.so")
        libc = peers.find_libc()
        log = ("1: binding file /bin/x [0] to %s [0]: normal symbol `malloc'"
            " [GLIBC_2.2.5]\n")
        self.assertIn("served by", peers.judge_bindings(log % limit, libc))

    def test_entry_that_jumps_on_is_followed(self):
        limit = os.path.realpath(os.path.join(build, "liblimit.so"))
        line = "binding file {} [0] to {} [0]: normal symbol `malloc' [V]\n"
        lent = line.format("/usr/lib/libc.so.6", "/bin/x") + \
            line.format("/bin/x", "/bin/x")
        self.assertIn("served by", peers.judge_bindings(lent, limit))
        lent += line.format("/bin/x", limit)
        self.assertIsNone(peers.judge_bindings(lent, limit))

    def test_failed_proof_says_fail(self):
        # A library that has no malloc: what it preloads serves nothing.
        empty = os.path.join(build, "empty.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-x", "c",
            "/dev/null", "-o", empty], check=True)
        chosen = [peers.Allocator("empty", stats.PEER, empty)]
        result = run_script(GOOD, chosen)["empty"]
        self.assertEqual(result["state"], stats.FAIL)
        self.assertIn("not proven", result["why"])
        self.assertEqual(result["samples"], [])

    def test_no_bindings_prove_nothing(self):
        self.assertIn("static", peers.judge_bindings("", "/lib/x.so"))


if __name__ == "__main__":
    sys.exit(unittest.main())
