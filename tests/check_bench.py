#!/usr/bin/env python3
"""The statistics, tables and results files of bench/cpu.py and bench/gpu.py, on made-up measurements."""

import contextlib
import io
import json
import math
import pathlib
import re
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
sys.path.insert(0, str(BENCH))
import cpu  # noqa: E402
import gpu  # noqa: E402
import measurements  # noqa: E402


def entry(program, mode, turn, median_ms, min_ms, mib=100, model="vgg19", which="train"):
    return {"model": model, "batch": 32, "input": "75x75x3", "precision": "fp32", "pass": which, "round": turn,
            "program": program, "mode": mode, "median_ms": median_ms, "min_ms": min_ms, "max_ms": 2 * median_ms,
            "peak_rss_bytes": mib << 20}


MEASURED = [
    entry("ferrotype", "", 1, 10, 9), entry("ferrotype", "", 2, 30, 8), entry("ferrotype", "", 3, 20, 7),
    entry("pytorch", "eager", 1, 5, 5, 900), entry("pytorch", "eager", 2, 90, 90), entry("pytorch", "eager", 3, 80, 80),
    entry("pytorch", "channels_last+tcmalloc", 1, 50, 40, 250),
    entry("pytorch", "channels_last+tcmalloc", 2, 60, 50, 200),
    entry("ferrotype", "", 1, 10, 10, model="edl"), entry("pytorch", "eager", 1, 5, 5, 50, model="edl"),
    entry("ferrotype", "", 1, 10, 10, model="resnet50"),  # without a peer
    {"model": "edl", "pass": "train", "program": "pytorch", "mode": "eager", "round": 2, "error": "killed"},
]
RESULTS = {"date": "2026-01-02", "device": "A processor, 2 threads", "pytorch": "1.13", "measurements": MEASURED}


class Statistics(unittest.TestCase):
    def test_best_mode_is_that_with_the_lowest_median_of_medians(self):
        found = cpu.compare([one for one in MEASURED if one["model"] == "vgg19"])
        self.assertEqual(found["mode"], "channels_last+tcmalloc")
        self.assertEqual(found["ms"], [20, 55])
        self.assertEqual(found["min_ms"], [7, 5])  # PyTorch's of any mode
        self.assertEqual(found["bytes"], [100 << 20, 250 << 20])
        self.assertEqual([found["ms_factor"], found["bytes_factor"]], [2.75, 2.5])

    def test_nothing_is_compared_with_nothing(self):
        self.assertIsNone(cpu.compare([one for one in MEASURED if one["model"] == "resnet50"]))

    def test_geometric_mean(self):
        self.assertTrue(math.isclose(cpu.geometric_mean([1, 2, 4]), 2))


class Tables(unittest.TestCase):
    def test_rows(self):
        lines = cpu.table(RESULTS, "train").splitlines()
        cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
        self.assertEqual(cells[2], ["vgg19, 75x75x3, 32", "20.0 (7.0)", "55.0 (5.0) channels_last+tcmalloc", "2.75",
                                    "0.71", "100 / 250", "2.50"])
        self.assertEqual(cells[3][3:], ["0.50", "0.50", "100 / 50", "0.50"])
        self.assertEqual(cells[4], ["geometric mean of 2", "", "", "1.17", "0.60", "", "1.12"])
        self.assertEqual(cells[5], ["smallest", "", "", "0.50", "0.50", "", "0.50"])
        self.assertEqual(len(cells), 6)
        self.assertEqual({len(row) for row in cells}, {7})
        self.assertEqual(cpu.table(RESULTS, "forward"), "")

    def test_the_readme_takes_them(self):
        text = f"before\n{cpu.BEGIN}old\n{cpu.END}after\n"
        once = cpu.with_tables(text, cpu.tables(RESULTS, pathlib.Path("cpu-x.json")))
        self.assertTrue(once.startswith("before\n") and once.endswith("after\n") and "vgg19" in once)
        self.assertNotIn("old", once)
        self.assertEqual(cpu.with_tables(once, cpu.tables(RESULTS, pathlib.Path("cpu-x.json"))), once)
        with self.assertRaises(SystemExit):
            cpu.with_tables("no marks", "tables")

    def test_the_readme_holds_what_its_file_gives(self):
        text = cpu.README.read_text(encoding="utf-8")
        inside = text.partition(cpu.BEGIN)[2].partition(cpu.END)[0]
        named = re.search(r"\(results/(.*?)\)", inside)
        if named:
            path = BENCH / "results" / named.group(1)
            made = cpu.tables(json.loads(path.read_text(encoding="utf-8")), path)
            self.assertEqual(cpu.with_tables(text, made), text)

    def test_gpu(self):
        lines = gpu.tables(RESULTS | {"roofline_ms": {"vgg19 32 fp32": 5}}).splitlines()
        row = next(line for line in lines if line.startswith("| vgg19"))
        self.assertIn("| 20.00 (7.00 … 60.00) | 1600 | 80.00 (5.00 … 180.00) | 4.00x eager |", row)


class Files(unittest.TestCase):
    def go_on(self, path, tasks):
        with contextlib.redirect_stderr(io.StringIO()):
            path, results = measurements.open_results(path, "cpu", "a device", {"what": "a trial"})
            given = list(measurements.measure(results, path, tasks, math.inf))
        return given, json.loads(path.read_text(encoding="utf-8"))

    def test_a_run_goes_on_with_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "new" / "results.json"
            identity = {name: MEASURED[0][name] for name in ("model", "batch", "precision", "pass", "program", "mode")}
            good = [sys.executable, "-c", "print('{\"median_ms\": 1, \"precision\": \"its own name\"}')"]
            bad = [sys.executable, "-c", "raise SystemExit('no room')"]
            slow = [sys.executable, "-c", "import time; time.sleep(60)"]
            tasks = [(identity | {"round": turn}, command, 20) for turn, command in enumerate([good, bad], 1)]
            tasks.append((identity | {"round": 3}, slow, 0.1))
            given, saved = self.go_on(path, tasks)
            self.assertEqual(saved["measurements"], given)
            self.assertEqual([one.get("error", one.get("median_ms")) for one in given],
                             [1, "no room", "took more than 0 seconds"])
            given, saved = self.go_on(path, tasks)  # what failed is tried again, and nothing else
            self.assertEqual([one["round"] for one in given], [2, 3])
            self.assertEqual([one["round"] for one in saved["measurements"]], [1, 2, 3])
            with self.assertRaisesRegex(SystemExit, "measurements of a device, not of another"):
                measurements.open_results(path, "cpu", "another", {})
            path.write_text('{"ours": []}', encoding="utf-8")
            with self.assertRaisesRegex(SystemExit, "something else"):
                measurements.open_results(path, "cpu", "a device", {})


if __name__ == "__main__":
    unittest.main()
