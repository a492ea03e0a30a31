"""Compares the speed of two libraries with libzmq's own programs, `local_thr`, `remote_thr` and the like.

    speed.py PROGRAMS OURS OTHER [ROUNDS]

PROGRAMS is the folder of the programs; OURS and OTHER are folders with libzmq.so.5. The runs of both libraries alternate. Prints the
median of each, and how many times as fast ours is.
"""

import os
import re
import socket
import statistics
import subprocess
import sys

# Program, bytes of a message, number of messages.
CELLS = [
    ("thr", 16, 1_000_000),
    ("thr", 64, 1_000_000),
    ("thr", 1024, 300_000),
    ("thr", 65536, 10_000),
    ("lat", 16, 20_000),
    ("lat", 1024, 20_000),
    ("inproc_thr", 16, 1_000_000),
    ("inproc_thr", 1024, 500_000),
]
RESULTS = {"thr": r"mean throughput: (\d+) \[msg", "lat": r"average latency: ([\d.]+)"}
SECONDS = 120


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def measure(programs, library, program, size, count):
    environment = {**os.environ, "LD_LIBRARY_PATH": library}

    def start(name, *arguments):
        command = [os.path.join(programs, name), *arguments, str(size), str(count)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    if program.startswith("inproc"):
        started = [start(program)]
    else:
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        started = [start(f"local_{program}", endpoint), start(f"remote_{program}", endpoint)]
    output = "".join(process.communicate(timeout=SECONDS)[0] for process in started)
    return float(re.search(RESULTS[program.rpartition("_")[2]], output).group(1))


def main():
    programs, ours, other = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    print("program       bytes      ours     other  ratio")
    for program, size, count in CELLS:
        runs = [[measure(programs, library, program, size, count) for library in (ours, other)] for _ in range(rounds)]
        ours_median, other_median = (statistics.median(results) for results in zip(*runs))
        unit_is_time = program.endswith("lat")
        ratio = other_median / ours_median if unit_is_time else ours_median / other_median
        print(f"{program:12} {size:6} {ours_median:9.0f} {other_median:9.0f}  {ratio:5.2f}", flush=True)


main()
