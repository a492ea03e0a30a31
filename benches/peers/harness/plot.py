"""Plots as SVG files, without other packages."""

import math
import pathlib

from .cells import cells
from .report import Table, short

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 800, 440, 70, 44, 190, 50
# Legend, column of the tables, colour, dashes.
SERIES = [
    ("sansmq, current-thread", "sansmq-ct", "#d62728", ""),
    ("sansmq, multi-thread", "sansmq-mt", "#ff7f0e", ""),
    ("sansmq, mio", "sansmq-mio", "#9467bd", ""),
    ("sansmq, blocking", "sansmq-blk", "#e377c2", ""),
    ("sansmq, exclusive", "sansmq-excl", "#8c564b", ""),
    ("libzmq", "libzmq", "#1f77b4", "6 3"),
    ("omq", "omq", "#2ca02c", "6 3"),
    ("monocoque", "monocoque", "#17becf", "6 3"),
]
FLOORS = [("raw epoll", "raw-epoll", "#7f7f7f", "2 3")]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def ticks(low, high):
    """Returns 1, 2 and 5 times the powers of ten inside a range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]


class Chart:
    """Lines over two logarithmic axes."""

    def __init__(self, title, unit, lines):
        self.title, self.unit, self.lines = title, unit, lines
        points = [point for *_, line in lines for point in line]
        self.xs = sorted({x for x, _ in points})
        self.low, self.high = min(y for _, y in points) / 1.2, max(y for _, y in points) * 1.2

    def x(self, value):
        low, high = math.log(self.xs[0]), math.log(self.xs[-1])
        part = (math.log(value) - low) / (high - low) if high > low else 0.5
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def svg(self):
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{LEFT}" y="24" font-size="15">{escape(self.title)}</text>',
        ]
        for value in ticks(self.low, self.high):
            y = self.y(value)
            out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
            out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
        for value in self.xs:
            x = self.x(value)
            label = f"{value} B" if value < 1024 else f"{value // 1024} KiB" if value < 1 << 20 else f"{value >> 20} MiB"
            out.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
            out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>')
        out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">size of a message</text>')
        middle = (TOP + HEIGHT - BOTTOM) / 2
        out.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{escape(self.unit)}</text>')
        for k, (name, colour, dashes, line) in enumerate(self.lines):
            style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"'
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in line)
            out.append(f'<polyline points="{path}" {style}/>')
            out += [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
            at = TOP + 10 + 20 * k
            out.append(f'<line x1="{WIDTH - RIGHT + 8}" y1="{at}" x2="{WIDTH - RIGHT + 32}" y2="{at}" {style}/>')
            out.append(f'<text x="{WIDTH - RIGHT + 38}" y="{at + 4}" font-size="10">{escape(name)}</text>')
        return "\n".join([*out, "</svg>", ""])


PLOTS = [
    ("thr-tcp", "thr", "tcp", "Throughput, one connection over TCP", "messages per second", "msgs_per_s", SERIES),
    ("thr-ipc", "thr", "ipc", "Throughput, one connection over ipc", "messages per second", "msgs_per_s", SERIES),
    ("thr_batch-tcp", "thr_batch", "tcp", "Throughput in batches of 64 over TCP", "messages per second", "msgs_per_s", SERIES),
    ("lat-tcp", "lat", "tcp", "Round trip over TCP, median", "us", "p50_us", FLOORS + SERIES),
    ("lat_cpu0-tcp", "lat_cpu0", "tcp", "Round trip over TCP, both ends on one processor, median", "us", "p50_us", FLOORS + SERIES),
]


def plot(data, folder):
    """Writes a file per plot with measured cells, and returns the paths."""
    table, folder = Table(data), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, group, transport, title, unit, field, series in PLOTS:
        ids = {cell["size"]: cell["id"] for cell in cells() if cell["group"] == group and cell["transport"] == transport}
        lines = []
        for legend, column, colour, dashes in series:
            values = [(size, table.get(cell, column)[0].get(field)) for size, cell in ids.items() if cell in table.medians]
            if line := [(size, value) for size, value in values if value]:
                lines.append((legend, colour, dashes, line))
        if lines:
            machine = data["machine"]["processor"]
            paths.append(folder / f"{name}.svg")
            paths[-1].write_text(Chart(f"{title} ({machine})", unit, lines).svg())
    return paths
