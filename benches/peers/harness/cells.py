"""Implementations, and the cells of the tables: one scenario with its parameters each."""

# Family -> variants. A new implementation needs a line here, in QUEUES, and in `supports` if it cannot do something.
FAMILIES = {
    "raw": ["raw", "raw-epoll", "raw-mio", "raw-tokio", "raw-smol"],
    "libzmq": ["libzmq", "libzmq-copy"],
    "omq": ["omq-ct", "omq-mt", "omq-io", "omq-blk", "omq-excl"],
    "rzmq": ["rzmq-ct", "rzmq-mt", "rzmq-cork", "rzmq-uring"],
    "zmqrs": ["zmqrs-ct", "zmqrs-mt"],
    "monocoque": ["monocoque", "monocoque-eager"],
    "sansmq-base": [f"sansmq-base-{runtime}" for runtime in ("ct", "mt", "smol", "mio", "blk")],
    "sansmq": [f"sansmq-{runtime}" for runtime in ("ct", "mt", "smol", "mio", "blk", "excl", "exclblk")],
}
# Only with --impls.
EXTRA = {"sansmq-cts": "sansmq", "sansmq-smolg": "sansmq", "omq-cts": "omq", "zmqrs-cts": "zmqrs"}
FAMILY = {variant: family for family, variants in FAMILIES.items() for variant in variants} | EXTRA

# High-water marks of sender and receiver, in messages, as each implementation has them by default.
QUEUES = {
    "raw": "none (inproc: a channel of 1000)",
    "libzmq": "1000, 1000",
    "omq": "1000, 1000",
    "rzmq": "256, 256",
    "zmqrs": "100000 per peer, none",
    "monocoque": "none",
    "sansmq-base": "1000, 1000",
    "sansmq": "1000, 1000",
}

# The side that measures and prints the result.
MEASURES = {
    "thr": "bind", "thr_batch": "bind", "curve": "bind", "fanin": "bind", "multi": "bind",
    "lat": "connect", "router": "connect", "pubsub": "connect", "conns": "connect", "olat": "connect", "proxy": "connect",
    "inproc_thr": "both", "inproc_lat": "both",
}

# Limits of single variants; other scenarios do not run with them.
ONLY = {
    "raw-epoll": {"lat"}, "raw-mio": {"lat"}, "raw-tokio": {"lat"}, "raw-smol": {"lat"},
    "libzmq-copy": {"thr", "inproc_thr"},
    "omq-blk": {"thr", "lat", "curve", "fanin", "inproc_thr", "inproc_lat"},
    "omq-excl": {"lat"},
    "rzmq-cork": {"thr"},
    "monocoque": {"thr", "thr_batch", "lat"},
    "monocoque-eager": {"thr"},
    "sansmq-excl": {"thr", "thr_batch", "lat"},
    "sansmq-exclblk": {"thr", "thr_batch", "lat"},
}


def supports(variant, scenario, transport, frames=1):
    """True if the variant has the scenario."""
    family = FAMILY[variant]
    if scenario not in ONLY.get(variant, {scenario}):
        return False
    if frames > 1 and family not in ("raw", "libzmq", "sansmq", "sansmq-base"):
        return False
    if variant in ("omq-excl", "rzmq-cork", "rzmq-uring") and transport != "tcp":
        return False
    match scenario:
        case "thr_batch":
            return family in ("monocoque", "sansmq", "sansmq-base")
        case "proxy":
            return family in ("libzmq", "sansmq", "sansmq-base")
        case "multi":
            return family != "raw"
        case "curve":
            return family in ("libzmq", "omq", "rzmq", "sansmq", "sansmq-base")
        case "inproc_thr" | "inproc_lat":
            return family != "zmqrs"
    return True


def cells():
    """Returns all cells. `side`: how the two ends are chosen, where "self" is the measured variant at both ends."""
    out = []

    def add(group, scenario, transport, size, peers=1, side="self", **more):
        name = f"{group}/{transport}/{size}"
        if peers > 1 or scenario in ("router", "pubsub", "conns"):
            name += f"/K{peers}"
        out.append(dict(id=name, group=group, scenario=scenario, transport=transport, size=size, peers=peers, side=side, **more))

    for group in ("thr", "thr_batch"):
        for transport in ("tcp", "ipc"):
            for size in (16, 64, 256, 1024) + ((8192, 65536, 1048576) if group == "thr" else ()):
                add(group, group, transport, size)
    for transport in ("tcp", "ipc"):
        for size in (16, 1024, 65536):
            add("lat", "lat", transport, size)
    for size in (16, 1024, 65536):
        add("lat_cpu0", "lat", "tcp", size)  # both processes on processor 0: no idle processor is woken
    for group, side in (("router", "self"), ("router_rawcli", "raw>")):
        for peers in (1, 16, 128, 1000):
            add(group, "router", "tcp", 64, peers, side)
    for size in (64, 1024):
        for peers in (1, 16, 128):
            add("pubsub", "pubsub", "tcp", size, peers)
    for size in (16, 1024, 65536):
        add("inproc_thr", "inproc_thr", "inproc", size)
    add("inproc_lat", "inproc_lat", "inproc", 16)
    for size in (64, 1024, 65536):
        add("curve", "curve", "tcp", size)
    for group, side in (("thr_rx", "raw>"), ("thr_tx", ">raw")):
        for size in (64, 1024, 65536):
            add(group, "thr", "tcp", size, 1, side)
    for group, side in (("conns", "self"), ("conns_rawcli", "raw>")):
        for peers in (1000, 9000):  # libzmq takes two descriptors per client socket, and many systems limit them to 20,000
            add(group, "conns", "tcp", 5, peers, side)
    for transport in ("tcp", "ipc"):
        add("thr_3frames", "thr", transport, 20, frames=3)
    for peers in (16, 1000):
        add("fanin", "fanin", "tcp", 64, peers)
    for peers in (2, 100, 1000):
        add("multi", "multi", "ipc", 64, peers)
    for rate in (10000, 50000):
        for peers in (1, 16):
            add(f"olat_{rate // 1000}k", "olat", "tcp", 64, peers, "raw>", rate=rate)
    for between, peers in (("router", 1), ("router", 16), ("pub", 1), ("pub", 16), ("push", 1)):
        add(f"proxy_{between}", "proxy", "tcp", 64, peers, between=between)
    return out


def pair(cell, variant):
    """Returns the connecting and the binding implementation."""
    if ">" in variant:
        return tuple(variant.split(">"))
    return {"self": (variant, variant), "raw>": ("raw", variant), ">raw": (variant, "raw")}[cell["side"]]


def queue_length(cell):
    """Returns the number of messages that may be on the way because of the scenario itself."""
    match cell["scenario"]:
        case "lat" | "inproc_lat":
            return "1 outstanding"
        case "router":
            return "32 outstanding per peer"
        case "conns":
            return "1 outstanding, 64 handshakes"
        case "olat":
            return f"open loop, {cell['rate']}/s"
        case "thr_batch":
            return "batches of 64"
        case "proxy" if cell["between"] == "router":
            return "32 outstanding per peer"
    return "up to the marks"


def is_latency(cell_id):
    """True if the cell is about latency, where less is better."""
    return cell_id.startswith(("lat", "inproc_lat", "olat"))


def guess(cell):
    """Returns a number of messages for the first run of a cell."""
    scenario, peers = cell["scenario"], cell["peers"]
    if scenario == "conns":
        return peers
    if scenario == "olat":
        return cell["rate"] // 4
    if scenario == "pubsub" or cell.get("between") == "pub":
        return max(500, 60000 // peers)
    if scenario in ("router", "proxy"):
        return max(10000, 40 * peers)
    if scenario in ("fanin", "multi"):
        return max(30000, 60 * peers)
    if scenario in ("lat", "inproc_lat"):
        return 3000
    return int(max(200, min(60000, 3e8 / cell["size"])))


def cap(cell, variant, count):
    """Limits the messages of zeromq's PUB, which does not wait and drops messages beyond 100,000 queued ones."""
    return min(count, 90000) if cell["scenario"] == "pubsub" and variant.startswith("zmqrs") else count
