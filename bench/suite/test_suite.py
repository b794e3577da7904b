"""test_suite - what the suite must notice, tried on small false programs.

	PYTHONPATH=bench ZBM_BENCH_BUILD=BUILD/bench python3 -m \\
		unittest suite.test_suite

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

from . import document as pages
from . import page, peers, runner, stats, table, targets
from .rows import MICRO, Row, WrongOutput, is_wanted, micro_time, \
    workload_check, workload_output, workload_time

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


def document_of(times, memory=None):
    """A document of one row, from {allocator: times of the rounds}."""
    names = {"zbmalloc": stats.OWN, "limit": stats.BOUND}
    results = {name: {"state": stats.OK, "digests": [], "samples": [
            {"round": i, "time": value, "cpu": value,
                "peak_kib": (memory or {}).get(name, 1000)}
            for i, value in enumerate(values)]}
        for name, values in times.items()}
    return {"format": 1, "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0, "rounds": 3, "quick": False, "interrupted": False,
        "whole": True,
        "machine": {"CPU": "</script>", "variables": {}}, "missing": [],
        "allocators": [{"name": name, "role": names.get(name, stats.PEER),
                "library": "", "version": "1"} for name in times],
        "rows": [{"name": "workload/a", "kind": "workload", "unit": "s",
            "origin": "", "scale": 1, "command": [], "results": results}]}


def verdicts(document):
    analysis = stats.analyse(document)
    judged = {j["id"]: j for j in targets.judge(document, analysis)}
    return analysis, judged


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


class Statistics(unittest.TestCase):
    def compare(self, a, b):
        return stats.compare(dict(enumerate(a)), dict(enumerate(b)))

    def test_difference_within_noise_is_a_tie(self):
        found = self.compare([1.00, 1.10, 0.97, 1.05, 1.02],
            [1.02, 1.01, 1.06, 0.99, 1.08])
        self.assertEqual(found["verdict"], "tie")

    def test_less_than_the_floor_is_a_tie(self):
        found = self.compare([1.005] * 5, [1.0] * 5)
        self.assertEqual(found["verdict"], "tie")

    def test_clear_difference_is_told(self):
        slow = [1.20, 1.22, 1.21, 1.19, 1.23]
        fast = [1.00, 1.01, 1.02, 1.00, 1.01]
        self.assertEqual(self.compare(slow, fast)["verdict"], "slower")
        self.assertEqual(self.compare(fast, slow)["verdict"], "faster")

    def test_rounds_that_disturbed_both_do_not_hide_it(self):
        found = self.compare([1.1, 2.2, 4.4, 1.1, 3.3],
            [1.0, 2.0, 4.0, 1.0, 3.0])
        self.assertEqual(found["verdict"], "slower")
        self.assertAlmostEqual(found["ratio"], 1.1)

    def test_two_rounds_are_not_certain_of_five_percent(self):
        self.assertEqual(self.compare([1.05] * 2, [1.0] * 2)["verdict"],
            "tie")

    def test_minimum_alone_is_not_enough(self):
        found = self.compare([0.8, 1.2, 1.2, 1.2, 1.2], [1.0] * 5)
        self.assertEqual(found["verdict"], "tie")

    def test_failed_rows_are_in_no_mean(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [2.0] * 3})
        second = dict(document["rows"][0], name="workload/b", results={
            name: dict(result) for name, result in
            document["rows"][0]["results"].items()})
        second["results"]["zbmalloc"] = {"state": stats.FAIL, "why": "x",
            "samples": [], "digests": []}
        document["rows"].append(second)
        analysis, judged = verdicts(document)
        mean = analysis["means"][stats.TOGETHER]["time"]
        self.assertEqual((mean["rows"], mean["of"]), (1, 2))
        self.assertEqual(mean["without"], ["workload/b"])
        self.assertAlmostEqual(mean["values"]["zbmalloc"], 0.5)
        self.assertFalse(judged["2"]["reached"])
        self.assertEqual(stats.failures(analysis),
            [("workload/b", "zbmalloc", "x")])


class Targets(unittest.TestCase):
    def test_reached_and_missed(self):
        _, judged = verdicts(document_of({"zbmalloc": [0.7] * 3,
            "glibc": [1.0] * 3, "mimalloc": [0.9] * 3}))
        self.assertTrue(judged["1a"]["reached"])
        self.assertTrue(judged["1b"]["reached"])
        self.assertTrue(judged["2"]["reached"])
        _, judged = verdicts(document_of({"zbmalloc": [1.2] * 3,
            "glibc": [1.0] * 3, "mimalloc": [0.9] * 3}))
        for target in ("1a", "1b", "2"):
            self.assertFalse(judged[target]["reached"])
        self.assertEqual(judged["2"]["missed"][0]["against"], "mimalloc")

    def test_the_bound_is_no_peer(self):
        _, judged = verdicts(document_of({"zbmalloc": [0.7] * 3,
            "glibc": [1.0] * 3, "limit": [0.1] * 3},
            {"zbmalloc": 1600, "glibc": 1000, "limit": 10}))
        self.assertTrue(judged["1a"]["reached"])
        self.assertFalse(judged["3a"]["reached"])
        self.assertAlmostEqual(judged["3b"]["missed"][0]["ratio"], 1.6)

    def test_not_measured_is_not_reached(self):
        _, judged = verdicts(document_of({"zbmalloc": [1.0] * 3,
            "glibc": [1.0] * 3}))
        for target in ("4a", "4b", "4c", "4d", "5"):
            self.assertEqual(judged[target]["found"], "not measured")
            self.assertFalse(judged[target]["reached"])

    def test_sizes_are_read_from_names(self):
        target = next(t for t in targets.TARGETS if t["id"] == "4c")
        for name, meant in (("micro/class/4096", True),
                ("micro/class/4194304/threads:2", True),
                ("micro/class/2048", False), ("micro/pair/4096", False)):
            self.assertEqual(targets.is_meant({"name": name, "kind": MICRO},
                target), meant, name)


class Output(unittest.TestCase):
    def test_micro_error_is_noticed(self):
        with self.assertRaisesRegex(WrongOutput, "no memory"):
            micro_time(b'{"benchmarks": [{"run_type": "iteration", '
                b'"error_occurred": true, "error_message": "no memory"}]}',
                b"")
        with self.assertRaises(WrongOutput):
            micro_time(b'{"benchmarks": []}', b"")

    def test_micro_takes_cpu_time_where_one_thread_works(self):
        text = '{"benchmarks": [{"run_type": "iteration", "name": "%s", ' \
            '"threads": %d, "real_time": 2.5, "cpu_time": 2, ' \
            '"time_unit": "us"}]}'
        for name, threads, expected in (("pair/64", 1, 2000),
                ("pair/64/threads:2", 2, 2500), ("fork/exit/16", 1, 2500)):
            self.assertEqual(micro_time((text % (name, threads)).encode(),
                b""), expected)

    def test_filters(self):
        row = Row(name="workload/larson", kind="workload", command=[])
        self.assertTrue(is_wanted(row, ["lars"], []))
        self.assertTrue(is_wanted(row, ["workload/l*"], ["workload"]))
        self.assertFalse(is_wanted(row, ["l*"], []))
        self.assertFalse(is_wanted(row, [], ["program"]))

    def test_fail_is_in_table_page_and_document(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})
        document["rows"][0]["results"]["zbmalloc"] = {"state": stats.FAIL,
            "why": "killed by SIGSEGV", "samples": [], "digests": []}
        analysis = stats.analyse(document)
        judged = targets.judge(document, analysis)
        path = os.path.join(scratch.name, "out")
        with open(path, "w", encoding="utf-8") as file:
            table.print_all(document, analysis, judged, file)
        self.assertIn("FAIL workload/a under zbmalloc: killed by SIGSEGV",
            self.read(path))
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n")
        pages.write(document, analysis, judged, path)
        text = self.read(path)
        self.assertIn("**FAIL**", text)
        self.assertNotIn("old", text)
        self.assertTrue(text.startswith("before") and
            text.endswith("after\n"))

    @unittest.skipUnless(os.path.exists(page.CHART), "no libjs-chart.js")
    def test_page_is_whole_and_alone(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})
        analysis = stats.analyse(document)
        path = os.path.join(scratch.name, "page.html")
        page.write(path, document, analysis, [])
        text = self.read(path)
        self.assertEqual(text.count("</script>"), 3)
        self.assertNotIn("@@", text)
        self.assertNotIn("src=", text.split("<script>")[0])

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    sys.exit(unittest.main())
