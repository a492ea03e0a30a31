"""Plugin of pytest that writes results at once, so that they survive a crash of the interpreter.

Appends one line per event to the file that the environment variable PYTEST_RESULTS names: `started ID`, then `passed ID`,
`failed ID` or `skipped ID`. A test that has started and has no result has ended the process. Tests that have a result are not run
again.
"""

import os

FAILED = set()
SKIPPED = set()


def write(event, test):
    with open(os.environ["PYTEST_RESULTS"], "a", encoding="utf-8") as file:
        file.write(f"{event} {test}\n")


def pytest_collection_modifyitems(config, items):
    with open(os.environ["PYTEST_RESULTS"], encoding="utf-8") as file:
        events = [line.rstrip("\n").partition(" ") for line in file]
    done = {test for event, _, test in events if event != "started"}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in done])
    items[:] = [item for item in items if item.nodeid not in done]


def pytest_runtest_logstart(nodeid, location):
    write("started", nodeid)


def pytest_runtest_logreport(report):
    # Setup, call and teardown have a report each.
    if report.failed:
        FAILED.add(report.nodeid)
    if report.skipped:
        SKIPPED.add(report.nodeid)


def pytest_runtest_logfinish(nodeid, location):
    # A test that pytest-rerunfailures repeats finishes once per run: the last line counts.
    outcome = "failed" if nodeid in FAILED else "skipped" if nodeid in SKIPPED else "passed"
    write(outcome, nodeid)
    FAILED.discard(nodeid)
    SKIPPED.discard(nodeid)


def pytest_collectreport(report):
    if report.failed and report.nodeid:
        write("failed", report.nodeid)
