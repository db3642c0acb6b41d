"""The results as a picture: an SVG of bars, a panel a route, that needs no program to be made and no font to
be read."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from bench.http.measure import Results
from bench.http.routes import Route
from bench.tables import number, times

__all__ = ["chart"]

_WIDTH: Final = 1080
_MARGIN: Final = 24
_GAP: Final = 32
_LABELS: Final = 228
_BAR: Final = 15
_ROW: Final = 21
_HEAD: Final = 34

_STYLE: Final = """
  .bg { fill: #ffffff } .rule { stroke: #d0d7de } .range { stroke: #24292f; stroke-width: 1.2 }
  text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f }
  .title { font-size: 19px; font-weight: 600 } .head { font-size: 14px; font-weight: 600 }
  .note { font-size: 11px; fill: #57606a } .strong { font-weight: 600 }
  .own { fill: #0f766e } .pure { fill: #5eaaa3 } .other { fill: #9aa5b1 }
  .fixed { fill: #dfe4e9; stroke: #9aa5b1 }
"""


def _kind(name: str, fixed: bool) -> str:
    if name.startswith("fastweb"):
        return "pure" if "pure" in name else "own"
    return "fixed" if fixed else "other"


def _panel(results: Results, route: Route, x: float, y: float, width: float) -> tuple[list[str], float]:
    rows = []
    for contender in results.plan.contenders:
        rate = results.rate(contender.name, route.name)
        if rate is not None:
            rows.append((contender, rate, results.ratio(contender.name, route.name, results.plan.baseline)))
    rows.sort(key=lambda row: -row[1].median)
    most = max((rate.high for _, rate, _ in rows), default=1.0)
    room = width - _LABELS - 110
    lines = [f'<text class="head" x="{x:.0f}" y="{y + 16:.0f}">{escape(route.title)}</text>']
    lines.append(
        f'<line class="rule" x1="{x:.0f}" x2="{x + width:.0f}" y1="{y + 24:.0f}" y2="{y + 24:.0f}"/>'
    )
    at = y + _HEAD
    for contender, rate, ratio in rows:
        kind = _kind(contender.name, contender.fixed)
        strong = ' class="strong"' if kind in ("own", "pure") else ""
        bar = max(1.0, rate.median / most * room)
        middle = at + _BAR / 2
        low, high = (x + _LABELS + each / most * room for each in (rate.low, rate.high))
        shown = number(rate.median) + (f"  {times(ratio.median)}" if ratio is not None else "")
        end, text = max(x + _LABELS + bar, high) + 6, f"{middle + 4:.1f}"
        lines += [
            f'<text{strong} x="{x + _LABELS - 8:.0f}" y="{text}" text-anchor="end">'
            f"{escape(contender.title)}</text>",
            f'<rect class="{kind}" x="{x + _LABELS:.1f}" y="{at:.1f}" width="{bar:.1f}" height="{_BAR}"/>',
            f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
            f'<text{strong} x="{end:.1f}" y="{text}" xml:space="preserve">{shown}</text>',
        ]
        at += _ROW
    return lines, at - y


def chart(results: Results, about: dict[str, Any]) -> str:
    """The SVG: requests a second of each contender, the median as a bar and the range of the rounds as a
    line."""
    machine = about["machine"]
    baseline = next(
        (each.title for each in results.plan.contenders if each.name == results.plan.baseline), ""
    )
    y = 62.0
    body = [
        f'<text class="title" x="{_MARGIN}" y="34">Requests a second on one core</text>',
        f'<text class="note" x="{_MARGIN}" y="52">×: times {escape(baseline)}, median of {results.rounds} '
        "rounds; the thin line is their range. Pale: no framework, answers made beforehand.</text>",
    ]
    width = (_WIDTH - 2 * _MARGIN - _GAP) / 2
    routes = list(results.plan.routes)
    y += 12
    for i in range(0, len(routes), 2):
        tallest = 0.0
        for column, route in enumerate(routes[i : i + 2]):
            lines, height = _panel(results, route, _MARGIN + column * (width + _GAP), y, width)
            body += lines
            tallest = max(tallest, height)
        y += tallest + 22
    about_line = f"{about['date'][:10]} · {machine['cpu']}, {machine['cores']} cores · {machine['system']}"
    modes = ", ".join(sorted({mode for name, mode in results.modes.items() if "pure" not in name}))
    about_line += f" · {machine['python']} · fastweb {about['fastweb']} {modes}"
    about_line += f" · {results.plan.connections} connections"
    body.append(f'<text class="note" x="{_MARGIN}" y="{y + 6:.0f}">{escape(about_line)}</text>')
    y += 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" role="img" '
            f'width="{_WIDTH}" height="{y:.0f}">',
            f"<title>Requests a second on one core: {escape(about_line)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="bg" width="{_WIDTH}" height="{y:.0f}"/>',
            *body,
            "</svg>",
            "",
        ]
    )
