"""Tables of the results."""

import statistics

from .cells import FAMILIES, FAMILY, QUEUES, cells, is_latency, queue_length

OTHERS = ("libzmq", "omq", "rzmq", "zmqrs", "monocoque")


def short(x):
    """Returns a number with three digits and a unit."""
    if x is None:
        return "-"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= limit:
            return f"{x / limit:.3g}{unit}"
    return f"{x:.3g}"


def merge(files):
    """Returns one data set: each cell from the file with the lowest load average at the end of the cell."""
    files = [data for data in files if data["runs"]]
    if not files:
        raise SystemExit("the files have no results")
    load = [{cell: one for cell, one, *_ in data["loadavg"]} for data in files]
    merged = dict(files[0], begun=min(data["begun"] for data in files), ended=max(data["ended"] for data in files))
    merged |= dict(runs=[], loadavg=[], failures=[failure for data in files for failure in data["failures"]])
    for cell in sorted({cell for loads in load for cell in loads}):
        best = min((k for k in range(len(files)) if cell in load[k]), key=lambda k: load[k][cell])
        merged["runs"] += [run for run in files[best]["runs"] if run["cell"] == cell]
        merged["loadavg"] += [entry for entry in files[best]["loadavg"] if entry[0] == cell]
    merged["secs"] = " or ".join(sorted({str(data["secs"]) for data in files}))
    return merged


def cpu_us(run):
    """Returns the processor time per message in us: of both processes, or of the one that the cell is about."""
    own = run["cpu_user_s"] + run["cpu_sys_s"]
    group = run["cell"].split("/")[0]
    if group.endswith("_rawcli") or group.startswith(("olat", "proxy")) or group == "thr_tx":
        own = 0.0
    other = 0.0 if group == "thr_rx" else run.get("peer_cpu_s", 0.0)
    return (own + other) * 1e6 / run["count"]


def medians(data):
    """Returns cell -> variant -> field -> median."""
    runs = {}
    for run in data["runs"]:
        runs.setdefault(run["cell"], {}).setdefault(run["impl"], []).append(run | dict(cpu_us=cpu_us(run)))
    out = {}
    for cell, variants in runs.items():
        for variant, found in variants.items():
            fields = {key: [run[key] for run in found if isinstance(run.get(key), (int, float))] for key in found[0]}
            out.setdefault(cell, {})[variant] = {key: statistics.median(values) for key, values in fields.items() if values}
    return out


def pick_best(data):
    """Returns cell -> family -> variant with the best median."""
    best = {}
    for cell, variants in medians(data).items():
        for variant, fields in variants.items():
            score = -fields["p50_us"] if is_latency(cell) else fields["msgs_per_s"]
            found = best.setdefault(cell, {})
            family = FAMILY.get(variant, variant)
            if family not in found or score > found[family][0]:
                found[family] = (score, variant)
    return {cell: {family: variant for family, (_, variant) in found.items()} for cell, found in best.items()}


class Table:
    """Columns of a group: plain sockets, the best variant of each other family, and each variant of sansmq."""

    def __init__(self, data):
        self.medians, self.best = medians(data), pick_best(data)

    def columns(self, ids):
        measured = {variant for cell in ids for variant in self.medians[cell]}
        ours = [v for v in FAMILIES["sansmq"] + list(FAMILY) if v in measured and FAMILY[v] == "sansmq"]
        floors = [v for v in FAMILIES["raw"] if v in measured]
        others = [f for f in OTHERS if any(f in self.best[cell] for cell in ids)]
        pairs = sorted(v for v in measured if v not in FAMILY)
        base = ["sansmq-base"] if any("sansmq-base" in self.best[cell] for cell in ids) else []
        return floors + others + base + list(dict.fromkeys(ours)) + pairs

    def get(self, cell, column):
        """Returns the medians of a column, and the variant if the column stands for a family."""
        if column in OTHERS or column == "sansmq-base":
            variant = self.best[cell].get(column)
            return self.medians[cell].get(variant, {}), variant
        return self.medians[cell].get(column, {}), None

    def rows(self, group, ids, title, text):
        columns = self.columns(ids)
        out = [f"\n### {group}: {title}\n", "| cell | peers | queue | " + " | ".join(columns) + " |"]
        out.append("|---" * (len(columns) + 3) + "|")
        known = {cell["id"]: cell for cell in cells()}
        for cell in ids:
            row = [cell[len(group) + 1 :], str(known[cell]["peers"]), queue_length(known[cell])]
            for column in columns:
                fields, variant = self.get(cell, column)
                row.append(text(cell, column, fields, variant) if fields else "-")
            out.append("| " + " | ".join(row) + " |")
        return out

    def value(self, cell, column, fields, variant):
        """Returns the result and its ratio to libzmq, where more than 1 is better than libzmq."""
        latency = is_latency(cell)
        key = "p50_us" if latency else "msgs_per_s"
        text = f"{fields[key]:.1f} ({fields['p99_us']:.0f}, {fields['p999_us']:.0f})" if latency else short(fields[key])
        reference = self.get(cell, "libzmq")[0].get(key)
        if reference and column != "libzmq":
            ratio = reference / fields[key] if latency else fields[key] / reference
            text += f" **{ratio:.2f}x**"
        return text + suffix(variant, column)

    @staticmethod
    def resources(cell, column, fields, variant):
        """Returns processor time per message, and memory of the process that does not measure."""
        text = f"{fields['cpu_us']:.3g} us"
        if cell.startswith("conns"):
            text += f", {(fields['peer_rss_kb'] - fields['server_rss_before_kb']) / fields['peers']:.1f} KiB"
        elif "peer_rss_kb" in fields:
            text += f", {fields['peer_rss_kb'] / 1024:.0f} MiB"
        return text + suffix(variant, column)


def suffix(variant, column):
    return f" `{variant[len(column) + 1 :]}`" if variant and variant != column else ""


def title(group):
    if is_latency(group):
        return "p50 us (p99, p99.9)"
    return {"conns": "connections/s", "conns_rawcli": "connections/s", "pubsub": "delivered messages/s"}.get(group, "messages/s")


def report(data):
    """Returns all tables as Markdown."""
    table = Table(data)
    groups = {}
    for cell in cells():
        if cell["id"] in table.medians:
            groups.setdefault(cell["group"], []).append(cell["id"])
    load = [one for _, one, *_ in data["loadavg"]]
    machine = data["machine"]
    out = [
        f"Processor: {machine['processor']}, {machine['processors']} logical. Kernel: {machine['kernel']}. {machine['rustc']}. "
        f"{'; '.join(machine['build'])}.",
        f"{data['begun']} to {data.get('ended')}; {data['rounds']} interleaved rounds of about {data['secs']} s; load average of one "
        f"minute {min(load):.1f} to {max(load):.1f} (median {statistics.median(load):.1f}).\n",
        "High-water marks of sender and receiver, in messages: "
        + "; ".join(f"{family} {marks}" for family, marks in QUEUES.items())
        + ".\n",
        "Each value is a median; in bold the ratio to libzmq, where more than 1 is better, for latency too; in code the variant. Every "
        "run has checked the length, order, count and sum of all messages.\n",
    ]
    for group, ids in groups.items():
        out += table.rows(group, ids, title(group), table.value)
        out += table.rows(group, ids, "processor time per message, memory", table.resources)
    loads = ", ".join(f"{cell} {one:.1f}" for cell, one, *_ in sorted(data["loadavg"]))
    out.append(f"\nLoad average at the end of each cell: {loads}\n")
    if data["failures"]:
        out.append("\n### Failures\n")
        counts = {}
        for failure in data["failures"]:
            key = (failure["cell"], failure["impl"], failure["error"])
            counts[key] = counts.get(key, 0) + 1
        out += [f"- {cell} {variant}: {error} ({count} times)" for (cell, variant, error), count in counts.items()]
    return "\n".join(out) + "\n"


def compare(data):
    """Returns the ratios to libzmq as one table, of which more than 1 is better, and one of the processor time per message."""
    table = Table(data)
    known = {cell["id"]: cell for cell in cells()}
    ids = [cell for cell in known if "libzmq" in table.medians.get(cell, {})]
    columns = [column for column in table.columns(ids) if column not in ("libzmq", "sansmq-base") and not column.startswith("raw")]
    columns = ["raw", *columns]
    load = [one for _, one, *_ in data["loadavg"]]
    machine = data["machine"]
    out = [
        f"{machine['processor']}, {machine['processors']} logical processors; kernel {machine['kernel']}; {machine['rustc']}; "
        f"{data['rounds']} interleaved rounds of {data['secs']} s, {len(data['runs'])} runs, {len(data['failures'])} failed; load average "
        f"{min(load):.1f} to {max(load):.1f}.\n"
    ]
    for name, keys in (("Rate, or median of the latency", None), ("Processor time per message", "cpu_us")):
        out += [f"\n{name}, as a ratio to libzmq:\n", "| cell | queue | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
        for cell in ids:
            key = keys or ("p50_us" if is_latency(cell) else "msgs_per_s")
            of_libzmq = table.get(cell, "libzmq")[0].get(key)
            row = [cell, queue_length(known[cell])]
            for column in columns:
                variant = table.best[cell].get(column) if column == "raw" else None
                fields, variant = (table.medians[cell].get(variant, {}), variant) if variant else table.get(cell, column)
                value = fields.get(key)
                if not value or not of_libzmq:
                    row.append("-")
                    continue
                ratio = value / of_libzmq if key == "msgs_per_s" else of_libzmq / value
                row.append(f"{ratio:.2f}{suffix(variant, column)}")
            out.append("| " + " | ".join(row) + " |")
    out += percentiles(table, [cell for cell in ids if cell.startswith("olat")])
    return "\n".join(out) + "\n"


def percentiles(table, ids):
    """Returns a table of the percentiles at fixed rates, as ratios to the best plain socket."""
    if not ids:
        return []
    columns = [column for column in table.columns(ids) if not column.startswith("raw")]
    keys = ("p50_us", "p99_us", "p999_us")
    out = ["\nLatency at fixed rates, 50 %, 99 % and 99.9 %, as ratios to plain sockets, of which less is better:\n"]
    out += ["| cell | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for cell in ids:
        floors = [fields for variant, fields in table.medians[cell].items() if variant.startswith("raw")]
        row = [cell]
        for column in columns:
            fields, variant = table.get(cell, column)
            ratios = [fields[key] / min(floor[key] for floor in floors) for key in keys] if fields and floors else []
            row.append(", ".join(f"{ratio:.2f}" for ratio in ratios) + suffix(variant, column) if ratios else "-")
        out.append("| " + " | ".join(row) + " |")
    return out
