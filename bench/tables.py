"""Tables, for a terminal and in Markdown, and figures as people read them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["duration", "markdown_table", "number", "size", "text_table", "times"]


def number(value: float) -> str:
    """Three figures that count: 139,000, 8,210, 12.3."""
    if value >= 100:
        step: float = 10 ** max(0, len(str(int(value))) - 3)
        return f"{round(value / step) * step:,.0f}"
    return f"{value:.3g}"


def times(value: float) -> str:
    """A ratio: 12.3×."""
    return f"{value:.2f}×" if value < 10 else f"{value:.1f}×" if value < 100 else f"{value:.0f}×"


def duration(seconds: float) -> str:
    """In the unit that fits."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return (
                f"{seconds / factor:.3g} {unit}"
                if seconds < factor * 100
                else f"{seconds / factor:.0f} {unit}"
            )
    return f"{seconds * 1e9:.0f} ns"


def size(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.1f} MiB"


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns below each other; the first to the left, the others to the right."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def show(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([show(head), "  ".join("─" * width for width in widths), *[show(row) for row in rows]])


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
