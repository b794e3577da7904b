"""test_suite - what the suite must notice, tried on small false programs.

	PYTHONPATH=bench ZBM_BENCH_BUILD=BUILD/bench python3 -m \\
		unittest suite.test_suite suite.test_output

1. Runs are real: zbm-measure starts shell scripts that crash, print wrong
   sums or end well. Without ZBM_BENCH_BUILD it is compiled for the occasion.
2. The bound is the real liblimit.so; `glibc` stands for all other allocators.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

from . import peers, processes, runner, runs, starts, stats
from .options import Refused
from .rows import Row, spawn_times, workload_check, workload_output, \
    workload_time

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
    compile_c("zbm-bench.c", "zbm-bench", "-pthread", *NO_BUILTIN)
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


def made_library(name, body):
    """A library whose constructor does that."""
    path = os.path.join(scratch.name, f"lib{name}.so")
    code = "#include <stdlib.h>\n#include <unistd.h>\n" \
        f"__attribute__((constructor)) static void run(void) {{ {body} }}"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-x", "c",
        "-", "-o", path], input=code, text=True, check=True)
    return path


def script_row(text, name="workload/script", **more):
    """The script knows its allocator by LD_PRELOAD."""
    return Row(name=name, kind="workload",
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
        with unittest.mock.patch.object(runs, "END_SECONDS", 0.1):
            runner.run_once(row, plan.allocators[0], plan, result, 0)
        self.assertEqual(result["state"], stats.OK, result)
        self.assertTrue(0.2 < result["samples"][0]["time"] < 3)

    def test_order_is_drawn_anew_and_repeatable(self):
        def orders(seed):
            plan = runner.Plan([script_row("")], many, build, "", 1, 1, seed)
            return [[a.name for a in runner.order_of(plan.rows[0], plan, i)]
                for i in range(6)]

        many = [peers.Allocator(f"a{i}", stats.PEER, "") for i in range(5)]
        self.assertEqual(orders(1), orders(1))
        self.assertNotEqual(orders(1), orders(2))
        self.assertGreater(len(set(map(tuple, orders(1)))), 3)

    def test_all_follow_the_bound_equally_often(self):
        many = [peers.Allocator(f"a{i}", stats.PEER, "") for i in range(5)]
        many.insert(2, peers.Allocator("limit", stats.BOUND, ""))
        plan = runner.Plan([script_row("")], many, build, "", 1)
        orders = [[a.name for a in runner.order_of(plan.rows[0], plan, i)]
            for i in range(10)]
        self.assertEqual({order[-1] for order in orders}, {"limit"})
        firsts = [order[0] for order in orders]
        self.assertEqual({firsts.count(f"a{i}") for i in range(5)}, {2})

    def test_budget_ends_the_rounds(self):
        row = script_row("sleep 0.2; " + GOOD)
        plan = runner.Plan([row], allocators(), build, scratch.name,
            rounds=50, budget=1.5)
        _, done, _ = runner.run(plan, lambda *ignored: None)
        self.assertTrue(1 <= done <= 3, done)


    def test_first_round_has_a_budget_as_well(self):
        rows = [script_row("sleep 0.2; " + GOOD, name=f"workload/{i}")
            for i in range(30)]
        plan = runner.Plan(rows, allocators(), build, scratch.name, 1,
            budget=1)
        results, _, _ = runner.run(plan, lambda *ignored: None)
        self.assertEqual(results["workload/0"]["glibc"]["state"], stats.OK)
        last = results["workload/29"]["glibc"]
        self.assertEqual((last["state"], last["why"]),
            (stats.LEFT_OUT, runner.NO_TIME))

    def test_peak_is_never_below_the_end(self):
        touch = "import mmap,threading,time\ndef f():\n" \
            " m=mmap.mmap(-1,1<<22)\n m[::4096]=bytes(1<<10)\n" \
            " keep.append(m)\nkeep=[]\n" \
            "t=[threading.Thread(target=f) for i in range(8)]\n" \
            "[x.start() for x in t]\ntime.sleep(.1)"
        row = Row(name="workload/touch", kind="workload",
            command=[sys.executable, "-c", touch])
        plan = runner.Plan([row], allocators(), build, scratch.name, 1)
        report = runs.execute(row, plan.allocators[1], plan).report
        self.assertGreaterEqual(report["peak_kib"], report["final_kib"])


class Hanging(unittest.TestCase):
    """Timeouts, and what is left of a program."""

    def test_allocator_is_given_up_after_two_timeouts(self):
        hang = 'case $LD_PRELOAD in *limit*) sleep 100;; esac; ' + GOOD
        extra = peers.Allocator("limit", stats.PEER,
            os.path.join(build, "liblimit.so"))
        rows = [script_row(hang, name=f"workload/{i}") for i in range(4)]
        plan = runner.Plan(rows, allocators() + [extra], build, scratch.name,
            2)
        begun = time.monotonic()
        with unittest.mock.patch.object(runs, "TIMEOUT", 1), \
                unittest.mock.patch.object(runs, "TIMEOUT_TIMES", 0):
            results, done, _ = runner.run(plan, lambda *ignored: None)
        self.assertLess(time.monotonic() - begun, 8)
        self.assertEqual(done, 2)
        whys = [results[row.name]["limit"]["why"] for row in rows]
        self.assertEqual(whys[2:], ["gave up after 2 timeouts"] * 2)
        self.assertTrue(all("timed out" in why for why in whys[:2]), whys)
        self.assertEqual(len(results["workload/3"]["glibc"]["samples"]), 2)

    def test_constructor_that_aborts_is_told(self):
        with self.assertRaisesRegex(Refused, "x: .*killed by SIGABRT"):
            peers.check_preload(peers.Allocator("x", stats.PEER,
                made_library("abort", "abort();")))

    def test_constructor_that_hangs_is_told(self):
        library = made_library("hang", "for (;;) sleep(9);")
        with unittest.mock.patch.object(peers, "PRELOAD_SECONDS", 0.3), \
                self.assertRaisesRegex(Refused, "timed out after 0.3 s"):
            peers.check_preload(peers.Allocator("x", stats.PEER, library))
        with unittest.mock.patch.object(peers, "PROOF_SECONDS", 0.3), \
                self.assertRaises(processes.TimedOut):
            peers.prove(["/bin/true"], "/", {}, library)

    def test_interruption_keeps_what_was_measured(self):
        rows = [script_row(GOOD, name="workload/0"),
            script_row("exec sleep 77.25", name="workload/1")]
        plan = runner.Plan(rows, allocators(), build, scratch.name, 3)

        def tell(_stage, row, _name, _left):
            if row == "workload/1":
                raise processes.Interrupted(15)

        results, done, number = runner.run(plan, tell)
        self.assertEqual((done, number), (0, 15))
        self.assertEqual(results["workload/0"]["glibc"]["state"], stats.OK)
        self.assertEqual(results["workload/1"]["glibc"]["state"],
            stats.LEFT_OUT)

    def test_stopped_run_leaves_neither_program_nor_folder(self):
        plan = runner.Plan([], allocators(), build, scratch.name, 1)
        row = script_row("sleep 77.125 & sleep 77.125")
        with runs.Run(row, plan.allocators[1], plan) as run:
            time.sleep(0.2)
        self.assertFalse(os.path.exists(run.folder))
        time.sleep(0.1)
        alive = subprocess.run(["ps", "-eo", "args"], text=True, check=True,
            stdout=subprocess.PIPE).stdout
        self.assertNotIn("sleep 77.125", alive)


class Whole(unittest.TestCase):
    """A run from its begin to its end, of false workloads."""
    WORKLOAD = "#!/bin/sh\ncase $1 in\n" \
        "--list) printf 'a\\t0.1\\tgood\\nb\\t0.1\\thangs\\n' ;;\n" \
        "a) " + GOOD + " ;;\nb) : >$0.b; exec sleep 77.5 ;;\nesac\n"

    def test_signal_keeps_what_was_measured_and_gives_its_status(self):
        for number in processes.SIGNALS:
            with tempfile.TemporaryDirectory(dir=scratch.name) as folder:
                self.interrupt(folder, number)

    def interrupt(self, folder, number):
        workload = os.path.join(folder, "zbm-workload")
        with open(workload, "w", encoding="ascii") as file:
            file.write(self.WORKLOAD)
        os.chmod(workload, 0o755)
        os.symlink(os.path.join(build, "zbm-measure"),
            os.path.join(folder, "zbm-measure"))
        path = os.path.join(folder, "out.json")
        temporary = os.path.join(folder, "tmp")
        os.mkdir(temporary)
        suite = subprocess.Popen([sys.executable, "-m", "suite", "--lib",
            peers.find_libc(), "--build", folder, "--allocators", "glibc",
            "--kind", "workload", "--json", path],
            env=dict(os.environ, PYTHONPATH=BENCH,
            TMPDIR=temporary), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 30
        while not os.path.exists(workload + ".b") and \
                time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.1)
        suite.send_signal(number)
        out, err = suite.communicate(timeout=30)
        self.assertEqual(suite.returncode, 128 + number, err)
        self.assertNotIn("Traceback", err)
        self.assertIn("interrupted", out)
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual(document["interrupted"], number)
        self.assertEqual([row["name"] for row in document["rows"]],
            ["workload/a"])
        self.assertEqual(os.listdir(temporary), [])


class AllFreed(unittest.TestCase):
    """linger.py"""
    BOTH = GOOD + "; case $1 in --linger) echo '{\"rss_idle_kib\": 20, " \
        "\"rss_after_kib\": 10}' >&2;; esac"

    def run_lingering(self, text, repeats=3):
        row = script_row(text, lingers=True)
        row.command.append("script")
        plan = runner.Plan([row], allocators(), build, scratch.name, 1,
            repeats=repeats, memory_mib=4096)
        return runner.run(plan, lambda *ignored: None)[0][row.name]

    def test_both_memories_are_taken_three_times(self):
        result = self.run_lingering(self.BOTH)["glibc"]
        self.assertEqual(result["idle_kib"], [20] * 3)
        self.assertEqual(result["after_kib"], [10] * 3)

    def test_failure_leaves_the_samples(self):
        result = self.run_lingering(GOOD +
            "; case $1 in --linger) kill -SEGV $$;; esac")["glibc"]
        self.assertEqual(result["state"], stats.OK)
        self.assertEqual(result["linger_why"], "killed by SIGSEGV")
        self.assertEqual(len(result["samples"]), 1)
        cell = stats.cell_of(result)
        self.assertTrue(stats.has_failed(cell, "idle_kib"))
        self.assertFalse(stats.has_failed(cell, "time"))
        self.assertIsNotNone(stats.value_of(cell, "time"))


class Starts(unittest.TestCase):
    def run_true(self, *libraries):
        chosen = allocators() + [peers.Allocator(f"x{i}", stats.PEER, path)
            for i, path in enumerate(libraries)]
        row = Row(name="start/true", kind="start", command=[
            os.path.join(build, "zbm-bench"), "spawn", "5", "/bin/true",
            "--"], together=True, started=["/bin/true"], time=spawn_times)
        plan = runner.Plan([row], chosen, build, scratch.name, 1)
        return runner.run(plan, lambda *ignored: None)[0][row.name]

    def test_failure_is_that_of_its_allocator(self):
        crash = made_library("crash", "if (!getenv(\"LD_DEBUG\")) abort();")
        with unittest.mock.patch.object(runner.peers, "prove",
                lambda *ignored: None):
            results = self.run_true(crash, os.path.join(build, "liblimit.so"))
        self.assertEqual(results["x0"]["state"], stats.FAIL)
        self.assertIn("fails under", results["x0"]["why"])
        for name in "zbmalloc", "glibc", "x1":
            self.assertEqual(len(results[name]["samples"]), 1, name)

    def test_hanging_start_is_found_by_trying_alone(self):
        hang = made_library("hang", "for (;;) sleep(9);")
        with unittest.mock.patch.object(runner.peers, "prove",
                lambda *ignored: None), \
                unittest.mock.patch.object(starts, "SECONDS", 1), \
                unittest.mock.patch.object(starts, "ALONE_SECONDS", 0.5):
            results = self.run_true(hang)
        self.assertIn("timed out", results["x0"]["why"])
        self.assertEqual(results["glibc"]["state"], stats.OK)

    def test_starts_are_proven(self):
        results = self.run_true(made_library("empty", ""))
        self.assertIn("not proven", results["x0"]["why"])
        self.assertEqual(results["zbmalloc"]["state"], stats.OK)


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
