"""Many runs: the variants of a cell in turn, round after round."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from .cells import EXTRA, FAMILY, cap, cells, guess, is_latency, supports
from .report import pick_best, short
from .runs import binary, run_once


def machine():
    """Returns what results depend on besides the code."""
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    rustc = subprocess.run(["rustc", "--version"], text=True, capture_output=True).stdout.strip()
    features = subprocess.run([binary("raw"), "list"], text=True, capture_output=True, check=True).stdout.strip()
    return dict(
        processor=cpu[1] if cpu else platform.processor(),
        processors=os.cpu_count(),
        kernel=platform.release(),
        rustc=rustc,
        build=features.splitlines(),
    )


def selected(patterns):
    """Returns the cells with a group or an id that matches one of the regular expressions."""
    patterns = patterns.split(",")
    found = [cell for cell in cells() if any(re.fullmatch(p, cell["group"]) or re.fullmatch(p, cell["id"]) for p in patterns)]
    if not found:
        raise SystemExit(f"no cell matches {','.join(patterns)}; run.py cells lists them")
    return found


def variants_of(cell, wanted):
    """Returns the variants to measure in a cell."""
    found = []
    for variant in wanted:
        if ">" in variant:
            found.append(variant)
        elif variant not in FAMILY:
            raise SystemExit(f"unknown variant {variant}")
        elif supports(variant, cell["scenario"], cell["transport"], cell.get("frames", 1)):
            if not (cell["side"] != "self" and FAMILY[variant] == "raw" and variant != "raw"):
                found.append(variant)
    return found


def calibrate(cell, variant, secs):
    """Returns a number of messages that takes about `secs`, or a failed result."""
    if cell["scenario"] == "conns":
        return cell["peers"]
    if cell["scenario"] == "olat":
        return max(200, int(cell["rate"] * secs))
    count = guess(cell)
    for _ in range(6):
        result = run_once(cell, variant, count, timeout=12)
        if "error" in result:
            return result
        if result["secs"] >= 0.25 * secs or cap(cell, variant, count + 1) == count:
            break
        factor = min(30.0, max(2.0, 0.7 * secs / max(result["secs"], 1e-4)))
        count = cap(cell, variant, int(count * factor))
    return cap(cell, variant, max(10, int(count * secs / result["secs"])))


class Measurement:
    """The results so far, which are written after each cell."""

    def __init__(self, options):
        self.options = options
        self.begin = time.time()
        self.data = dict(
            begun=time.strftime("%F %T"), machine=machine(), rounds=options.rounds, secs=options.secs,
            loadavg=[], counts={}, runs=[], failures=[],
        )  # fmt: skip
        self.counts, self.best = {}, None
        if options.best_from:
            survey = json.loads(pathlib.Path(options.best_from).read_text())
            self.counts, self.best = survey["counts"], pick_best(survey)

    def run(self):
        wanted = self.options.impls.split(",") if self.options.impls else [v for v in FAMILY if v not in EXTRA]
        for cell in selected(self.options.cells):
            self.measure(cell, self.only_best(cell, variants_of(cell, wanted)))
            self.data["ended"] = time.strftime("%F %T")
            if self.options.out:
                pathlib.Path(self.options.out).write_text(json.dumps(self.data, indent=1))
        return self.data

    def only_best(self, cell, variants):
        """Leaves out variants of other implementations that were slower than another variant in the survey."""
        if not self.best:
            return variants
        best = self.best.get(cell["id"], {})
        return [v for v in variants if FAMILY.get(v) in ("raw", "sansmq", "sansmq-base", None) or best.get(FAMILY[v], v) == v]

    def measure(self, cell, variants):
        counts = {}
        for variant in variants:
            count = self.count(cell, variant)
            if count is not None:
                counts[variant] = count
                self.data["counts"][f"{cell['id']} {variant}"] = [count, self.options.secs]
        conns = cell["scenario"] == "conns"
        for number in range(min(self.options.rounds, self.options.conns_rounds) if conns else self.options.rounds):
            order = list(counts)
            first = number % max(1, len(order))
            for variant in order[first:] + order[:first]:
                self.round(cell, variant, counts, number)
        self.print(cell, counts)

    def count(self, cell, variant):
        if known := self.counts.get(f"{cell['id']} {variant}"):
            if cell["scenario"] == "conns":
                return cell["peers"]
            count, secs = known
            return cap(cell, variant, max(10, int(count * self.options.secs / secs)))
        count = calibrate(cell, variant, self.options.secs)
        if isinstance(count, dict):
            self.fail(cell, variant, "calibration", count)
            return None
        return count

    def round(self, cell, variant, counts, number):
        result = run_once(cell, variant, counts[variant], timeout=12 + 5 * self.options.secs)
        if "error" not in result:
            self.data["runs"].append(result | dict(cell=cell["id"], impl=variant, round=number))
            return
        self.fail(cell, variant, f"round {number}", result)
        if sum(f["cell"] == cell["id"] and f["impl"] == variant for f in self.data["failures"]) >= 2:
            del counts[variant]

    def fail(self, cell, variant, phase, result):
        failure = dict(cell=cell["id"], impl=variant, phase=phase, error=result["error"], stderr=result["stderr"])
        self.data["failures"].append(failure)
        print(f"{cell['id']:28} {variant:16} FAILED in the {phase}: {result['error']} {result['stderr'][:200]}", flush=True)

    def print(self, cell, variants):
        load = os.getloadavg()
        self.data["loadavg"].append([cell["id"], *load])
        key = "p50_us" if is_latency(cell["id"]) else "msgs_per_s"
        line = []
        for variant in variants:
            values = [run[key] for run in self.data["runs"] if run["cell"] == cell["id"] and run["impl"] == variant]
            if values:
                line.append(f"{variant} {short(statistics.median(values))}")
        print(f"[{time.time() - self.begin:5.0f} s, load {load[0]:.1f}] {cell['id']:26} " + "  ".join(line), flush=True)
