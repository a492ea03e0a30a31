"""The goals: ratios to the commit of reference, to other implementations, and to plain sockets."""

import re

from .cells import cells
from .report import Table

RUNTIMES = ("ct", "mt", "smol", "mio", "blk")
# The commit of reference has no exclusive sockets: they are compared with its shared sockets on the runtime of the same library.
BASE = {runtime: runtime for runtime in RUNTIMES} | {"excl": "ct", "exclblk": "mio"}
FLOOR = {"ct": "raw-tokio", "mt": "raw-tokio", "smol": "raw-smol", "mio": "raw-mio", "blk": "raw-mio"}
EXCLUSIVE = ("excl", "exclblk")
SMALL = r"/(tcp|ipc)/(16|64)"

RATE, CPU, P50 = "msgs_per_s", "cpu_us", "p50_us"


def base(runtime):
    return f"sansmq-base-{BASE[runtime]}"


# Text, cells, variants, field, reference, "must", "hope". A rate must be at least the limit, other fields at most.
GOALS = [
    ("one message a call", "thr" + SMALL, ("ct", "mio", "smol"), RATE, base, 1.15, 1.3),
    ("one message a call, exclusive", "thr" + SMALL, EXCLUSIVE, RATE, base, 1.35, 1.5),
    ("batches", "thr_batch" + SMALL, ("ct", "mio", "smol", *EXCLUSIVE), RATE, base, 1.6, None),
    ("batches, processor time", "thr_batch" + SMALL, ("ct", "mio", "smol", *EXCLUSIVE), CPU, "monocoque", 1.1, None),
    ("batches, rate", "thr_batch" + SMALL, ("ct", "mio", "smol", *EXCLUSIVE), RATE, "monocoque", None, 1.0),
    ("one message a call, multi-thread", "thr" + SMALL, ("mt",), RATE, base, 1.3, 1.6),
    ("batches, multi-thread", "thr_batch" + SMALL, ("mt",), RATE, base, 2.5, 3.0),
    ("one message a call, blocking", "thr" + SMALL, ("blk",), RATE, base, 1.3, 1.6),
    ("batches, blocking", "thr_batch" + SMALL, ("blk",), RATE, base, 2.2, 2.8),
    ("medium messages", "thr/tcp/(256|1024)", ("ct", "mio"), RATE, "monocoque", 0.9, 1.0),
    ("server alone", "router_rawcli/tcp/64/K16", ("ct", "mio"), RATE, base, 1.2, 1.5),
    ("server alone", "router_rawcli/tcp/64/K16", ("mt", "blk"), RATE, base, 1.6, 2.0),
    ("1000 peers", "router/tcp/64/K1000", ("mt", "blk"), RATE, base, 1.6, 2.2),
    ("proxies", "proxy_.*", RUNTIMES, RATE, base, 1.5, 2.0),
    ("proxies", "proxy_.*", RUNTIMES, RATE, "libzmq", 1.0, None),
    ("inproc", "inproc_thr/inproc/(16|1024)", RUNTIMES, RATE, "libzmq", 1.0, 1.3),
    ("round trips, exclusive", "lat_cpu0/tcp/16", EXCLUSIVE, P50, "raw-epoll", 1.12, 1.05),
    ("round trips", "lat_cpu0/tcp/16", RUNTIMES, P50, FLOOR.get, 1.15, 1.08),
    ("connections", "conns/tcp/5/K1000", ("mt",), RATE, base, 1.6, 1.9),
]

# Variants that are compared by processor time with each other.
KINDS = {
    "current-thread": (
        ("sansmq-ct", "sansmq-smol", "sansmq-mio", "sansmq-excl"),
        ("omq-ct", "omq-excl", "rzmq-ct", "zmqrs-ct", "monocoque", "monocoque-eager"),
    ),
    "multi-thread": (("sansmq-mt",), ("omq-mt", "rzmq-mt", "rzmq-cork", "rzmq-uring", "zmqrs-mt")),
    "blocking": (("sansmq-blk", "sansmq-exclblk"), ("libzmq", "libzmq-copy", "omq-io", "omq-blk")),
}


def verdict(ratio, field, must, hope):
    """Returns the text for a ratio, or for the worst of several."""
    good = (lambda limit: ratio >= limit) if field == RATE else (lambda limit: ratio <= limit)
    if hope is not None and good(hope):
        return "hope reached"
    if must is None:
        return "not reached"
    return "reached" if good(must) else "NOT reached"


def goal_rows(table, goal):
    text, pattern, variants, field, reference, must, hope = goal
    ids = [cell["id"] for cell in cells() if re.fullmatch(pattern, cell["id"]) or re.fullmatch(pattern, cell["group"])]
    sign = "≥" if field == RATE else "≤"
    for runtime in variants:
        name = reference(runtime) if callable(reference) else reference
        found = {}
        for cell in ids:
            measured = table.medians.get(cell, {})
            ours, theirs = measured.get(f"sansmq-{runtime}"), measured.get(name) or table.get_best(cell, name)
            if ours and theirs:
                found[cell] = ours[field] / theirs[field]
        limits = [f"{sign} {limit:g}" if limit is not None else "-" for limit in (must, hope)]
        if not found:
            yield [text, pattern, runtime, f"{field} / {name}", "not measured", *limits, "-"]
            continue
        missing = f", {len(ids) - len(found)} cells not measured" if len(found) < len(ids) else ""
        worst = min(found.values()) if field == RATE else max(found.values())
        values = ", ".join(f"{value:.2f}" for value in found.values())
        result = verdict(worst, field, must, hope)
        if missing and "NOT" not in result:
            result = "incomplete"
        yield [text, pattern, runtime, f"{field} / {name}", values + missing, *limits, result]


def processor_rows(table):
    """Compares our lowest processor time with the lowest of the others, per kind of program."""
    for kind, (ours, others) in KINDS.items():
        reached, missed = 0, []
        for cell in cells():
            measured = table.medians.get(cell["id"], {})
            if cell["group"] == "thr_batch":
                continue
            mine = [measured[v][CPU] for v in ours if v in measured]
            theirs = [(measured[v][CPU], v) for v in others if v in measured]
            if not mine or not theirs:
                continue
            least, name = min(theirs)
            if min(mine) <= least:
                reached += 1
            else:
                ratio = min(mine) / least if least else float("inf")
                missed.append(f"{cell['id']} ({ratio:.2f} x {name})")
        total = reached + len(missed)
        text = f"{reached} of {total} cells" + (f"; not: {', '.join(missed)}" if missed else "")
        result = "-" if not total else "NOT reached" if missed else "reached"
        yield ["processor time per message", "all but thr_batch", kind, f"{CPU}, lowest of its kind", text, "≤ 1", "-", result]


class Goals(Table):
    def get_best(self, cell, name):
        """Returns the medians of the best variant of a family."""
        variant = self.best.get(cell, {}).get(name)
        return self.medians.get(cell, {}).get(variant)


def ratios(data):
    """Returns the table of the goals as Markdown."""
    table = Goals(data)
    machine = data["machine"]
    out = [
        f"Processor: {machine['processor']}; kernel {machine['kernel']}; {machine['rustc']}; {'; '.join(machine['build'])}.",
        "Ratios of medians within one run, one value per cell in the order of `run.py cells`; the worst decides.\n",
        "| goal | cells | variant | ratio | measured | must | hope | result |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [row for goal in GOALS for row in goal_rows(table, goal)] + list(processor_rows(table))
    for row in rows:
        out.append("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")
    idle = "`cargo bench -p sansmq-benches --bench idle -- 10000` in the project"
    out.append(f"\nMemory of an idle connection: {idle} (must: mio 2.0 KiB, tokio 3.2 KiB; hope: 1.8, 2.8).")
    return "\n".join(out) + "\n"
