"""Prints coverage by folder: `coverage.py FOLDER [FILTER…]`, where FOLDER has the files `tests.lcov` and `fuzz.lcov` of `.ci/coverage`.

Modules of tests are not counted, neither files of tests nor the modules at the end of other files.
"""

import collections
import pathlib
import re
import sys

LIBRARIES = ["proto", "runtime", "os", "runtime-tokio", "runtime-smol", "runtime-mio", "runtime-turmoil"]
FUZZED = "proto/"
# The simulated network and the cost meter are parts of the tests.
EXCLUDED = re.compile(r"/tests(?:\.rs$|/)|^proto/src/testing/|^proto/src/cost\.rs$")


def first_test_line(path):
    """Returns the number of the line where the module of tests in a file begins."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip() == "#[cfg(test)]" and re.match(r"\s*mod \w+ \{", lines[number]):
            return number
    return len(lines) + 1


def counts(lcov):
    """Returns, per path of a file, a dictionary of lines and a dictionary of branches, with the number of times that each ran."""
    files, lines, branches, end = {}, {}, {}, 0
    for record in lcov.read_text(encoding="utf-8").splitlines():
        kind, _, value = record.partition(":")
        if kind == "SF":
            path = pathlib.Path(value)
            lines, branches = collections.Counter(), collections.Counter()
            name = path.relative_to(pathlib.Path.cwd()) if path.is_relative_to(pathlib.Path.cwd()) else path
            if name.parts[:1] and name.parts[0] in LIBRARIES and name.parts[1] == "src" and not EXCLUDED.search(str(name)):
                end = first_test_line(path)
                files[str(name)] = lines, branches
        elif kind == "DA":
            line, count = value.split(",")[:2]
            if int(line) < end:
                lines[int(line)] += int(count)
        elif kind == "BRDA":
            line, block, branch, count = value.split(",")
            if int(line) < end:
                branches[int(line), block, branch] += 0 if count == "-" else int(count)
    return files


def share(values):
    """Formats the percentage of the counts that are not zero."""
    return f"{sum(map(bool, values)) / len(values):7.1%}" if values else "      –"


def main():
    folder, filters = pathlib.Path(sys.argv[1]), sys.argv[2:]
    tests, fuzz = counts(folder / "tests.lcov"), counts(folder / "fuzz.lcov")
    rows = {}
    for path in sorted(tests):
        names = [str(pathlib.Path(path).parent), path.split("/")[0] + " (all)"]
        if any(part in path for part in filters):
            names.append(path)
        for name in names:
            row = rows.setdefault(name, [[], [], [], []])
            for column, measured in [(0, tests), (2, fuzz)]:
                if column == 0 or path.startswith(FUZZED):
                    for kind in range(2):
                        values = measured.get(path, tests[path])[kind]
                        row[column + kind].extend(values.values() if path in measured else [0] * len(values))
    width = max(map(len, rows))
    print(f"{'':{width}}  lines  all tests branches   fuzz targets branches")
    for name, (lines, branches, fuzz_lines, fuzz_branches) in sorted(rows.items()):
        print(f"{name:{width}} {len(lines):6}    {share(lines)}  {share(branches)}"
              + (f"        {share(fuzz_lines)}  {share(fuzz_branches)}" if fuzz_lines else ""))
    with (folder / "never.txt").open("w", encoding="utf-8") as never:
        for path, (lines, _) in sorted(tests.items()):
            source = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
            for line in sorted(line for line, count in lines.items() if not count):
                never.write(f"{path}:{line}: {source[line - 1].strip()}\n")


main()
