"""test_output - what the figures say, how they are shown, and what is refused.

1. Documents are made up: a row or two, and the times of the rounds.
2. What only a whole call shows runs `python3 -m suite` on such a document.
"""
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from . import document as pages
from . import documents, files, options, page, programs, stats, table, targets
from .files import Refused
from .rows import MICRO, WrongOutput, matches, micro_time

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def setUpModule():
    global scratch
    scratch = tempfile.TemporaryDirectory(prefix="zbm-test-output-")


def tearDownModule():
    scratch.cleanup()


def place(name):
    return os.path.join(scratch.name, name)


def document_of(times, memory=None):
    """A document of one row, from {allocator: times of the rounds}."""
    names = {"zbmalloc": stats.OWN, "limit": stats.BOUND}
    results = {name: {"state": stats.OK, "digests": [], "samples": [
            {"round": i, "time": value, "cpu": value,
                "peak_kib": (memory or {}).get(name, 1000)}
            for i, value in enumerate(values)]}
        for name, values in times.items()}
    return {"format": documents.FORMAT, "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0, "rounds": 3, "quick": False, "scale": 1.0,
        "seed": 1, "interrupted": 0, "only": {}, "missing": [],
        "machine": {"CPU": "</script>", "CPUs": 2, "kernel": "",
            "variables": {}},
        "allocators": [{"name": name, "role": names.get(name, stats.PEER),
                "library": "", "version": "1"} for name in times],
        "rows": [{"name": "workload/a", "kind": "workload", "unit": "s",
            "origin": "", "scale": 1, "command": [], "results": results}]}


def with_rows(document, count, failed):
    """The row so often; failed: {allocator: numbers of its rows}."""
    row = document["rows"][0]
    document["rows"] = []
    for i in range(count):
        results = {name: {"state": stats.FAIL, "why": "x", "samples": [],
                "digests": []} if i in failed.get(name, []) else dict(result)
            for name, result in row["results"].items()}
        document["rows"].append(dict(row, name=f"workload/{i}",
            results=results))
    return document


def printed(document, width=None, encoding="utf-8"):
    """What a terminal of that width shows, or a pipe."""
    analysis, judged = verdicts(document)
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    if width:
        file.isatty = lambda: True
    with unittest.mock.patch.dict(os.environ, {"COLUMNS": str(width or 50),
            "TERM": "xterm", "NO_COLOR": "1"}):
        table.print_all(document, analysis, list(judged.values()), file)
    file.flush()
    return re.sub(r"\x1b\[[0-9;]*m", "", raw.getvalue().decode(encoding))


def verdicts(document):
    analysis = stats.analyse(document)
    judged = {j["id"]: j for j in targets.judge(document, analysis)}
    return analysis, judged


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
        document = with_rows(document_of({"zbmalloc": [1.0] * 3,
            "glibc": [2.0] * 3}), 2, {"zbmalloc": [1]})
        analysis, judged = verdicts(document)
        mean = analysis["means"][stats.TOGETHER]["time"]
        self.assertEqual((mean["rows"], mean["of"]), (1, 2))
        self.assertEqual(mean["without"], ["workload/1"])
        self.assertAlmostEqual(mean["values"]["zbmalloc"], 0.5)
        self.assertFalse(judged["2"]["reached"])
        self.assertEqual(stats.failures(analysis),
            [("workload/1", "zbmalloc", "x")])

    def test_own_failure_misses_the_targets_of_means(self):
        times = {"zbmalloc": [0.1] * 3, "glibc": [2.0] * 3}
        _, judged = verdicts(with_rows(document_of(times), 3, {}))
        self.assertTrue(judged["1a"]["reached"])
        _, judged = verdicts(with_rows(document_of(times), 3,
            {"zbmalloc": [1]}))
        self.assertIs(judged["1a"]["reached"], False)
        self.assertEqual(judged["1a"]["missed"][0]["row"], "workload/1")
        _, judged = verdicts(with_rows(document_of(times), 3,
            {"zbmalloc": [0, 1, 2]}))
        self.assertIs(judged["1a"]["reached"], False)
        self.assertIs(judged["2"]["reached"], False)

    def test_peer_that_always_fails_does_not_take_the_means(self):
        times = {"zbmalloc": [1.0] * 3, "glibc": [2.0] * 3, "bad": [0.5] * 3}
        document = with_rows(document_of(times), 12, {"bad": range(6)})
        mean = stats.analyse(document)["means"][stats.TOGETHER]["time"]
        self.assertEqual(mean["rows"], 12)
        self.assertEqual(mean["failed"], {"bad": 6})
        self.assertEqual(mean["best_peer"], "glibc")
        self.assertEqual(table.mean_text(mean, "bad"),
            "0.250 (failed 6 rows)")
        document = with_rows(document_of(times), 12, {"bad": [0]})
        mean = stats.analyse(document)["means"][stats.TOGETHER]["time"]
        self.assertEqual((mean["rows"], mean["best_peer"]), (11, "bad"))

    def test_means_are_relative_to_another_where_glibc_fails(self):
        times = {"zbmalloc": [1.0] * 3, "glibc": [2.0] * 3, "x": [4.0] * 3}
        document = with_rows(document_of(times), 4, {"glibc": range(4)})
        means = stats.analyse(document)["means"]
        self.assertEqual(stats.references(means), "x")
        self.assertIn("relative to x;", printed(document))
        self.assertIn("Relative to x;",
            "\n".join(pages.mean_lines(document, means)))


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

    def test_not_measured_is_a_verdict_of_its_own(self):
        _, judged = verdicts(document_of({"zbmalloc": [1.0] * 3,
            "glibc": [1.0] * 3}))
        for target in ("3c", "3d", "3e", "3f", "4a", "4b", "4c", "4d", "5"):
            self.assertEqual(judged[target]["verdict"], "not measured")
            self.assertIsNone(judged[target]["reached"])

    def test_mean_of_a_part_says_so(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})
        self.assertNotIn("part", verdicts(document)[1]["1a"]["found"])
        document["only"] = {"filter": "a"}
        self.assertIn("a part of all", verdicts(document)[1]["1a"]["found"])

    def test_both_memories_have_targets(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})
        results = document["rows"][0]["results"]
        results["zbmalloc"].update(idle_kib=[103, 9, 500], after_kib=[90] * 3)
        results["glibc"].update(idle_kib=[100] * 3, after_kib=[100] * 3)
        _, judged = verdicts(document)
        self.assertTrue(judged["3c"]["reached"] and judged["3d"]["reached"])
        self.assertFalse(judged["3e"]["reached"] or judged["3f"]["reached"])
        self.assertAlmostEqual(judged["3f"]["missed"][0]["ratio"], 1.03)
        for title in ("after 2 s of sleep, all freed", "2 s later, with a"):
            self.assertIn(title, printed(document))

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
        self.assertTrue(matches("workload/larson", ["lars"]))
        self.assertTrue(matches("workload/larson", ["x", "workload/l*"]))
        self.assertFalse(matches("workload/larson", ["l*"]))
        self.assertTrue(matches("workload/larson", []))

    def test_input_is_generated_for_what_is_wanted_only(self):
        folder = place("input")
        some, _ = programs.rows(folder, 0.01, lambda name: "gh" in name)
        self.assertEqual([row.name for row in some], ["program/ghostscript"])
        self.assertEqual(os.listdir(os.path.join(folder, "0.01")),
            ["ghostscript"])

    def test_fail_is_in_table_page_and_document(self):
        document = document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})
        document["rows"][0]["results"]["zbmalloc"] = {"state": stats.FAIL,
            "why": "killed by SIGSEGV", "samples": [], "digests": []}
        analysis = stats.analyse(document)
        judged = targets.judge(document, analysis)
        path = place("out")
        self.assertIn("FAIL workload/a under zbmalloc: killed by SIGSEGV",
            printed(document))
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



class Widths(unittest.TestCase):
    """layout.py"""
    NAME = "micro/realloc/step/4096/4194304/threads:2"

    def document(self):
        document = document_of({name: [12.345 + i] * 3 for i, name in
            enumerate(["zbmalloc", "glibc", "jemalloc", "mimalloc",
                "tcmalloc", "limit"])})
        micro = dict(document["rows"][0], name=self.NAME, kind="micro",
            unit="ns", results=dict(document["rows"][0]["results"]))
        document["rows"].append(micro)
        return document

    def test_no_value_is_cut(self):
        for width in (None, 200, 165, 132, 100, 80, 60, 40):
            text = printed(self.document(), width)
            self.assertNotIn("\u2026", text)
            self.assertIn("realloc/step/4096/4194304/threads:2", text)
            for value in ("12.3", "13.3", "14.3", "15.3", "16.3", "17.3",
                    "0.93 glibc", "not measured"):
                self.assertIn(value, text, width)
            if width:
                self.assertLessEqual(max(map(len, text.split("\n"))), width)

    def test_medians_are_the_first_to_go(self):
        self.assertIn("\xb10%", printed(self.document(), 132))
        self.assertNotIn("\xb10%", printed(self.document(), 40))

    def test_nothing_makes_printing_fail(self):
        document = self.document()
        for allocator in document["allocators"]:
            if allocator["name"] == "jemalloc":
                allocator["name"] = "x[/]="
        for row in document["rows"]:
            row["results"]["x[/]="] = row["results"].pop("jemalloc")
            row["results"]["glibc"] = {"state": stats.FAIL,
                "why": "[/red] \udce9 \u2026 :smile:", "samples": []}
        text = printed(document, 80, "ascii")
        self.assertIn("x[/]=", text)
        self.assertIn("[/red] \\udce9 \\u2026 :smile:", text)
        self.assertIn("+-0%", printed(document, None, "ascii"))

    def test_variables_are_told(self):
        document = self.document()
        self.assertNotIn("variables", printed(document))
        document["machine"]["variables"] = {"MALLOC_CONF": "x"}
        document["machine"]["configuration"] = ["/etc/zbmalloc.conf"]
        text = printed(document)
        self.assertIn("variables: MALLOC_CONF=x", text)
        self.assertIn("configuration: /etc/zbmalloc.conf", text)


class Options(unittest.TestCase):
    def refusal(self, *arguments):
        said = io.StringIO()
        with unittest.mock.patch("sys.stderr", said), \
                self.assertRaises(SystemExit) as raised:
            options.parse(list(arguments))
        self.assertEqual(raised.exception.code, 2)
        return said.getvalue()

    def test_what_does_not_go_together(self):
        for wrong in (["--read", "x", "--filter", "y"], ["--list", "--json",
                "x"], ["--document", "x", "--targets"], ["--read", "x",
                "--quick"], ["--list", "--runs", "3"]):
            self.assertIn("do not go together", self.refusal(*wrong))
        options.parse(["--read", "x", "--targets"])
        options.parse(["--list", "--quick", "--filter", "x"])

    def test_scales(self):
        for wrong in ("nan", "inf", "0", "-1", "x", "1e7"):
            self.assertIn("not a number above 0",
                self.refusal(f"--scale={wrong}"))
        self.assertEqual(options.parse(["--scale", "0.5"]).scale, 0.5)

    def test_peers(self):
        path = place("lib.so")
        files.write(path, "")
        spaced = place("a b.so")
        files.write(spaced, "")
        for wrong, word in ((f"x[/]={path}", "letters, digits"),
                (f"limit={path}", "a meaning of its own"), ("x", "NAME=PATH"),
                (path, "NAME=PATH"), (f"={path}", "letters, digits"),
                (f"x={spaced}", "a blank"), ("x=/a:b", "a colon"),
                ("x=/nowhere.so", "no such file")):
            self.assertIn(word, self.refusal("--peer", wrong))
        self.assertEqual(options.parse(["--peer", f"x-1+2={path}"]).peer,
            [("x-1+2", path)])

    def test_unwritable_file_is_found_before_measuring(self):
        for wrong in ("/nowhere/x.json", "/proc/x.json", scratch.name):
            self.assertIn("cannot write", self.refusal("--json", wrong))
            self.assertIn("cannot write", self.refusal("--html", wrong))
        options.parse(["--json", "/dev/stdout", "--html", place("new.html")])
        self.assertFalse(os.path.exists(place("new.html")))


class Files(unittest.TestCase):
    def test_failed_write_leaves_the_old_file(self):
        path = place("kept")
        files.write(path, "old")
        with unittest.mock.patch("os.fsync", side_effect=OSError(28,
                "No space left on device")), \
                self.assertRaisesRegex(Refused, "No space left"):
            files.write(path, "new")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")
        self.assertEqual([name for name in os.listdir(scratch.name)
            if name.endswith(".new")], [])

    def test_link_and_mode_stay(self):
        path, link = place("target"), place("link")
        files.write(path, "old")
        os.chmod(path, 0o640)
        os.symlink(path, link)
        files.write(link, "new")
        self.assertTrue(os.path.islink(link))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)

    def test_full_device_is_told(self):
        with self.assertRaisesRegex(Refused, "No space left"):
            files.write("/dev/full", "x")


class Documents(unittest.TestCase):
    def call(self, *arguments):
        done = subprocess.run([sys.executable, "-m", "suite", *arguments],
            text=True, env=dict(os.environ, PYTHONPATH=BENCH),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout, done.stderr

    def saved(self, document):
        path = place("document.json")
        files.write(path, json.dumps(document))
        return path

    def good(self):
        return document_of({"zbmalloc": [1.0] * 3, "glibc": [1.0] * 3})

    def test_damaged_ones_are_refused(self):
        whole = json.dumps(self.good())
        for text in ("", "[]", "null", "{}", "3", "\0\1", whole[:-20],
                whole.replace('"seconds"', '"minutes"'),
                whole.replace('"time": 1.0', '"time": "1"'),
                whole.replace('"time": 1.0', '"time": 0'),
                whole.replace('"time": 1.0', '"time": NaN'),
                whole.replace('"name": "zbmalloc"', '"name": "x"'),
                whole.replace('"format": 2', '"format": 1'),
                whole.replace('"rows"', '"lines"'), "[" * 100000):
            path = place("damaged")
            files.write(path, text)
            with self.assertRaises(Refused, msg=text[:80]):
                documents.read(path)
        self.assertEqual(documents.read(self.saved(self.good())),
            self.good())

    def test_refusal_has_status_2(self):
        for path in ("/nowhere.json", "/", "/bin/true"):
            status, _, said = self.call("--read", path)
            self.assertEqual(status, 2)
            self.assertIn(path, said)

    def test_part_is_no_document(self):
        for change in ({"quick": True}, {"only": {"filter": "x"}},
                {"scale": 0.5}, {"interrupted": 2},
                {"missing": [["jemalloc", "libjemalloc2"]]}):
            status, _, said = self.call("--document",
                self.saved(dict(self.good(), **change)))
            self.assertEqual(status, 2)
            self.assertIn("not a whole run", said)
            self.assertIn("3 rounds", said)
        self.assertEqual(documents.parts(self.good()), [])

    def test_status_is_that_of_what_was_measured(self):
        document = dict(self.good(), only={"filter": "a"})
        for times, expected in (([0.5] * 3, 0), ([2.0] * 3, 1)):
            for sample, value in zip(document["rows"][0]["results"][
                    "zbmalloc"]["samples"], times):
                sample.update(time=value, cpu=value)
            status, out, _ = self.call("--read", self.saved(document),
                "--targets")
            self.assertEqual(status, expected)
            self.assertIn("not measured", out)


if __name__ == "__main__":
    sys.exit(unittest.main())
