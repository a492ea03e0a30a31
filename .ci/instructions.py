"""Compares two runs of benches/instructions.rs: `instructions.py BASE-FILE BASE-FOLDER HEAD-FOLDER`.

Prints a table and fails if a count has risen by more than the tolerance, unless a line of the base file allows the rise.
"""

import json
import pathlib
import re
import sys

# Equal sources give equal counts. Unrelated changes affect inlining and the layout of data, and so counts, by less than this.
TOLERANCE = 0.015

# Greatest ratio of two counts of the same run.
RATIOS = {("send_many_64.in_a_batch", "send_64.one_by_one"): 0.40}

ALLOWED = re.compile(r"(?P<name>\S+): \+(?P<percent>\d+(\.\d+)?)% (?P<reason>\S.*)")


def counts(folder):
    """Returns the instruction count of each benchmark, from the summaries that gungraun has saved below a folder."""
    found = {}
    for file in pathlib.Path(folder).rglob("summary.json"):
        run = json.loads(file.read_text())
        name = f"{run['function_name']}.{run['id']}" if run.get("id") else run["function_name"]
        metrics = run["profiles"][0]["data"]["total"]["metrics"]
        found[name] = metrics["Ir"]["values"]["new"]
    if not found:
        sys.exit(f"no counts below {folder}")
    return found


def allowances(file):
    """Returns the allowed rise of each benchmark: the lines after the commit."""
    lines = [line.strip() for line in pathlib.Path(file).read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    found = {}
    for line in lines[1:]:
        match = ALLOWED.fullmatch(line)
        if not match:
            sys.exit(f"{file}: not 'benchmark: +N% reason': {line}")
        found[match["name"]] = (float(match["percent"]) / 100, match["reason"])
    return found


def main():
    file, *folders = sys.argv[1:]
    base, head = (counts(folder) for folder in folders)
    allowed = allowances(file)
    failures = [f"{file}: no benchmark has the name {name}" for name in allowed if name not in head]
    print(f"{'benchmark':40} {'base':>12} {'head':>12} {'ratio':>8}")
    for name in sorted(base.keys() | head.keys()):
        before, after = base.get(name), head.get(name)
        if before is None or after is None:
            side = "head" if before is None else "base"
            print(f"{name:40} {before or '-':>12} {after or '-':>12} {'-':>8}  only in {side}")
            continue
        ratio = after / before
        limit, reason = allowed.get(name, (TOLERANCE, None))
        note = ""
        if ratio > 1 + limit:
            note = "TOO HIGH"
            failures.append(f"{name}: {ratio - 1:+.1%}, the limit is {limit:+.1%}")
        elif reason and ratio > 1 + TOLERANCE:
            note = f"allowed: {reason}"
        elif reason:
            note = "no longer higher: remove its line"
        elif ratio < 1 - TOLERANCE:
            note = "better"
        print(f"{name:40} {before:12} {after:12} {ratio:8.4f}  {note}".rstrip())
    for (one, other), limit in RATIOS.items():
        ratio = head[one] / head[other]
        print(f"{one} / {other}: {ratio:.2f}, at most {limit:.2f}")
        if ratio > limit:
            failures.append(f"{one} costs {ratio:.2f} of {other}, at most {limit:.2f} is allowed")
    if failures:
        print(*failures, sep="\n", file=sys.stderr)
        sys.exit(f"A deliberate rise needs a line 'benchmark: +N% reason' in {file}.")


main()
