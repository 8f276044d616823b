# SPDX-License-Identifier: MIT
"""Tables and plots of a run of scripts/bench.

    report.py RESULTS.tsv DIRECTORY

A line of the input is a figure of one round: table, operation, unit,
reference, goal, peer, figure. Lines with "#" are remarks. Prints the tables as
Markdown and leaves them in DIRECTORY/tables.md, and a plot of each table in
DIRECTORY/TABLE.svg.

In a table, a figure is the median of the rounds, and "±" is half the distance
between their quartiles, in percent of it. The ratio is that of cubby to the
reference of the operation; with a goal it says whether it is met.
"""

import statistics
import sys
from xml.sax.saxutils import escape

OURS = "cubby"
KERNEL = ("ext4", "btrfs")
REFERENCES = {
    "ext4": ("ext4", lambda peer: peer == "ext4"),
    "fuse": ("fastest FUSE peer", lambda peer: peer not in (OURS, *KERNEL)),
    "kv": ("best of LMDB, RocksDB", lambda peer: peer in ("LMDB", "RocksDB")),
}
TITLES = {
    "hot": "Hits on a mount, hot",
    "cold": "Hits on a mount, cold",
    "miss": "Misses on a mount",
    "change": "Adding and removing on a mount",
    "scan": "Listing on a mount",
    "build": "Builds of which all is in the cache",
    "library": "The library",
    "disk": "What a store takes on the disk",
    "scale": "The library, by the number of entries",
}
# Told apart in light and in dark, and by those who do not see all colours.
COLOURS = {
    OURS: "#d1495b",
    "ext4": "#7a8a99",
    "btrfs": "#4d7ea8",
    "squashfuse": "#8f6bb1",
    "fuse-overlayfs": "#3a9c8c",
    "bindfs": "#c08a2e",
    "gocryptfs": "#6d8f3c",
    "LMDB": "#4d7ea8",
    "RocksDB": "#8f6bb1",
    "SQLite": "#3a9c8c",
    "files": "#7a8a99",
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.operation { font-weight: 600 }
.note { fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
}
"""


class Operation:
    """One row of a table: the figures of the rounds, by peer."""

    def __init__(self, unit, reference, goal):
        self.unit = unit
        self.reference = reference
        self.goal = None if goal == "-" else float(goal)
        self.rounds = {}

    def median(self, peer):
        return statistics.median(self.rounds[peer])

    def spread(self, peer):
        if len(self.rounds[peer]) < 3:
            return ""
        low, _, high = statistics.quantiles(self.rounds[peer], n=4, method="inclusive")
        return f" ±{50 * (high - low) / self.median(peer):.0f}%"

    def ratio(self):
        """The ratio of cubby, and to whom; or None."""
        _, is_reference = REFERENCES[self.reference]
        others = [peer for peer in self.rounds if is_reference(peer)]
        if OURS not in self.rounds or not others:
            return None
        best = min(others, key=self.median)
        return self.median(OURS) / self.median(best), best


def figure(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def read(path):
    tables, remarks = {}, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#"):
                remarks.append(line[1:].strip())
                continue
            table, label, unit, reference, goal, peer, value = line.rstrip("\n").split("\t")
            operations = tables.setdefault(table, {})
            operation = operations.setdefault(label, Operation(unit, reference, goal))
            operation.rounds.setdefault(peer, []).append(float(value))
    return tables, remarks


def peers_of(operations):
    """All peers of a table, in the order of the colours."""
    present = {peer for operation in operations.values() for peer in operation.rounds}
    return [peer for peer in COLOURS if peer in present] + sorted(present - set(COLOURS))


def verdict(operation):
    ratio = operation.ratio()
    if not ratio:
        return "–", "–"
    text = f"{ratio[0]:.2f} × {ratio[1]}"
    if operation.goal is None:
        return text, "–"
    met = "met" if ratio[0] <= operation.goal else "**missed**"
    return text, f"{operation.goal:.2f} × {REFERENCES[operation.reference][0]}: {met}"


def markdown(name, operations):
    peers = peers_of(operations)
    unit = next(iter(operations.values())).unit
    lines = [
        f"### {TITLES[name]}",
        "",
        "| ".join(["| " + unit + " ", *(peer + " " for peer in peers), "cubby is ", "goal |"]),
        "|---" + "|---:" * len(peers) + "|---|---|",
    ]
    for label, operation in operations.items():
        cells = [
            figure(operation.median(peer)) + operation.spread(peer)
            if peer in operation.rounds
            else "–"
            for peer in peers
        ]
        lines.append("| " + " | ".join([label, *cells, *verdict(operation)]) + " |")
    return "\n".join(lines) + "\n"


def svg(name, operations):
    """Bars for each operation, to a scale of its own: they differ a lot."""
    left, bar, full, width = 120, 14, 420, 680
    y = 46
    parts = []
    for label, operation in operations.items():
        longest = max(map(operation.median, operation.rounds))
        parts.append(f'<text class="operation" x="12" y="{y + 16}">{escape(label)}</text>')
        y += 22
        for peer in peers_of({label: operation}):
            value = operation.median(peer)
            length = max(1, full * value / longest)
            parts.append(
                f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(peer)}</text>'
                f'<rect x="{left}" y="{y + 1}" width="{length:.1f}" height="{bar}" rx="2"'
                f' fill="{COLOURS.get(peer, "#888888")}"/>'
                f'<text x="{left + length + 6:.1f}" y="{y + 12}">'
                f"{figure(value)} {operation.unit}</text>"
            )
            y += bar + 3
        y += 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 8}"'
        f' width="{width}" height="{y + 8}" role="img">\n'
        f"<title>{escape(TITLES[name])}</title>\n<style>{STYLE}</style>\n"
        f'<text class="title" x="12" y="22">{escape(TITLES[name])}</text>\n'
        '<text class="note" x="12" y="40">Less is better. Bars are to scale within an '
        "operation.</text>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def main():
    results, directory = sys.argv[1:]
    tables, remarks = read(results)
    missed = [
        f"- {name}, {label}: {verdict(operation)[0]}, the goal is {operation.goal:.2f}"
        for name, operations in tables.items()
        for label, operation in operations.items()
        if "missed" in verdict(operation)[1]
    ]
    text = "\n".join(markdown(name, operations) for name, operations in tables.items())
    text += "\nGoals that cubby misses:\n\n" + ("\n".join(missed) or "none") + "\n"
    text += "\nRemarks:\n\n" + "\n".join(f"- {remark}" for remark in remarks) + "\n"
    with open(f"{directory}/tables.md", "w", encoding="utf-8") as out:
        out.write(text)
    for name, operations in tables.items():
        with open(f"{directory}/{name}.svg", "w", encoding="utf-8") as out:
            out.write(svg(name, operations))
    print("\n" + text)


if __name__ == "__main__":
    main()
