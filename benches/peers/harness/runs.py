"""One run: starts the processes of both sides, and reads the result."""

import itertools
import json
import os
import pathlib
import queue
import re
import socket
import subprocess
import tempfile
import threading
import time

from .cells import MEASURES, pair

HERE = pathlib.Path(__file__).resolve().parent.parent
TARGET = HERE / "target" / "release"
ENV = dict(os.environ, RUST_BACKTRACE="0")
sequence = itertools.count()


def binary(implementation):
    """Returns the program that has the implementation."""
    if implementation.startswith("sansmq-base"):
        return str(TARGET / "peer-bench-base")
    return os.environ.get("PEER_BENCH_BIN", str(TARGET / "peer-bench"))


class Failed(Exception):
    """A run without a valid result."""


class Process:
    """One side of a run. Its lines go to the queue `events`, as pairs of the process and the line; None is the end."""

    def __init__(self, arguments, events, cpus=None):
        self.errors = tempfile.TemporaryFile("w+")
        pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        self.child = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=ENV, preexec_fn=pin
        )
        self.events = events
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.child.stdout:
            self.events.put((self, line.strip()))
        self.events.put((self, None))

    def sample(self):
        """Returns processor time and memory up to now."""
        pid = self.child.pid
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            cpu = time.clock_gettime((~pid << 3) | 2)  # the clock of the processor time of all threads of another process
        except OSError:
            raise Failed("a process has ended") from None
        kib = {name: int(value) for name, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status)}
        return dict(cpu=cpu, rss=kib.get("VmRSS", 0), max_rss=kib.get("VmHWM", 0))

    def go(self):
        self.child.stdin.write("go\n")
        self.child.stdin.flush()

    def end(self):
        """Ends the process, and returns the last of its error output."""
        self.child.kill()
        self.child.wait()
        self.thread.join()
        self.child.stdin.close()
        self.child.stdout.close()
        self.errors.seek(0)
        text = self.errors.read()[-400:].strip()
        self.errors.close()
        return text


class Run:
    """The processes of one run."""

    def __init__(self, timeout):
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.events = queue.Queue()
        self.processes = []

    def start(self, arguments, cpus=None):
        # The driver has to see the error of a process before its own timeout.
        limit = ["--limit", str(max(1, int(self.timeout - 1)))]
        process = Process([*arguments, *limit], self.events, cpus)
        self.processes.append(process)
        return process

    def line(self, of):
        """Returns the next line of one process. Errors of the other process fail too."""
        while True:
            try:
                process, line = self.events.get(timeout=max(0.0, self.deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f"no result in {self.timeout:.0f} s") from None
            if line is None:
                raise Failed(f"a process ended with the status {process.child.wait()}")
            if line.startswith("{"):
                result = json.loads(line)
                if "error" in result:
                    raise Failed(f"{result['impl']}: {result['error']}")
            if process is of:
                return line

    def ready(self, process):
        if (line := self.line(process)) != "@ready":
            raise Failed(f"expected @ready, received {line}")

    def result(self, measuring, sampled, publisher):
        """Waits for the result of the measuring process, and samples another one meanwhile."""
        before = None
        while True:
            line = self.line(measuring)
            if line == "@start":
                before = sampled.sample() if sampled else None
            elif line == "@subscribed":
                publisher.go()
            elif line.startswith("{"):
                break
        result = json.loads(line)
        if before:
            after = sampled.sample()
            result["peer_cpu_s"] = round(after["cpu"] - before["cpu"], 6)
            result["peer_rss_kb"], result["peer_max_rss_kb"] = after["rss"], after["max_rss"]
        return result

    def end(self):
        return " | ".join(text for process in self.processes if (text := process.end()))


def endpoint(transport):
    if transport == "ipc":
        return f"ipc://{tempfile.gettempdir()}/peer-bench-{os.getpid()}-{next(sequence)}.sock"
    # The peer needs the port before the listener is there, so the system chooses a free one here.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def options(cell, count):
    return [
        "--size", str(cell["size"]), "--count", str(count), "--peers", str(cell["peers"]),
        "--frames", str(cell.get("frames", 1)), "--rate", str(cell.get("rate", 1)),
    ]  # fmt: skip


def run_once(cell, variant, count, timeout=30.0, more=(), connecting=()):
    """Returns the result; with `error` if the run failed.

    `more`: more arguments of both sides; `connecting`: more arguments of the side that connects.
    """
    run = Run(timeout)
    result = {}
    used = []
    try:
        if cell["scenario"] == "proxy":
            result = proxied(run, cell, variant, count)
        else:
            result = direct(run, cell, variant, [*options(cell, count), *more], connecting, used)
    except Failed as error:
        result = dict(error=str(error))
    finally:
        notes = run.end()
        for path in used:
            pathlib.Path(path).unlink(missing_ok=True)
    if "error" in result:
        result["stderr"] = notes
    return result


def direct(run, cell, variant, arguments, connecting, used):
    scenario, measures = cell["scenario"], MEASURES[cell["scenario"]]
    connect, bind = pair(cell, variant)
    if measures == "both":
        measuring = run.start([binary(bind), bind, scenario, "both", *arguments])
        return run.result(measuring, None, None) | dict(pair=bind)
    cpus = {0} if cell["group"].endswith("_cpu0") else None
    at = endpoint(cell["transport"])
    if cell["transport"] == "ipc":
        used += [at[len("ipc://"):]] if scenario != "multi" else [f"{at[len('ipc://'):]}-{k}" for k in range(cell["peers"])]
    # The client of `olat` spins, so each side has its own processor.
    server = run.start([binary(bind), bind, scenario, "bind", "--endpoint", at, *arguments], {0} if scenario == "olat" else cpus)
    run.ready(server)
    before = server.sample()
    client = run.start(
        [binary(connect), connect, scenario, "connect", "--endpoint", at, *arguments, *connecting],
        {1} if scenario == "olat" else cpus,
    )
    measuring, other = (server, client) if measures == "bind" else (client, server)
    result = run.result(measuring, other, other)
    result |= dict(pair=f"{connect}>{bind}", server_rss_before_kb=before["rss"])
    return result


def proxied(run, cell, variant, count):
    """A proxy of the variant between plain sockets at both ends: it connects to the side that answers, publishes or receives."""
    scenario = {"router": "router", "pub": "pubsub", "push": "thr"}[cell["between"]]
    arguments = ["--size", str(cell["size"]), "--count", str(count)]
    front, back = endpoint("tcp"), endpoint("tcp")
    far = run.start([binary("raw"), "raw", scenario, "bind", "--endpoint", back, "--peers", "1", *arguments])
    run.ready(far)
    middle = run.start(
        [binary(variant), variant, "proxy", "bind", "--endpoint", front, "--back", back, "--between", cell["between"], *arguments]
    )
    run.ready(middle)
    near = run.start([binary("raw"), "raw", scenario, "connect", "--endpoint", front, "--peers", str(cell["peers"]), *arguments])
    result = run.result(far if cell["between"] == "push" else near, middle, far)
    return result | dict(pair=f"raw>{variant}>raw")
