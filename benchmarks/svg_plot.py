"""A line plot as an SVG file, without a plotting library: logarithmic axes, a legend, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 440, 80, 40, 200, 60
_COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#8e5ea2", "#b08900", "#444444")

Series = Mapping[str, Sequence[tuple[float, float]]]
"""Name of a line -> its points, all > 0."""


def write_plot(path: Path, title: str, x_label: str, y_label: str, series: Series) -> None:
    """Write a plot. Raises ValueError when there is no point."""
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError(f"nothing to plot for '{title}'")
    x_axis = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    marks = [_text(_LEFT, 24, title, "start", 16), _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16, x_label)]
    marks.append(f'<g transform="rotate(-90 20 {_HEIGHT / 2})">{_text(20, _HEIGHT / 2, y_label)}</g>')
    for tick in x_axis.ticks:
        marks.append(_rule(x_axis.at(tick), _TOP, x_axis.at(tick), _HEIGHT - _BOTTOM))
        marks.append(_text(x_axis.at(tick), _HEIGHT - _BOTTOM + 18, f"{tick:g}"))
    for tick in y_axis.ticks:
        marks.append(_rule(_LEFT, y_axis.at(tick), _WIDTH - _RIGHT, y_axis.at(tick)))
        marks.append(_text(_LEFT - 6, y_axis.at(tick) + 4, f"{tick:g}", "end"))
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in line)
        marks.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
        marks += [f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
        marks.append(_text(_WIDTH - _RIGHT + 12, _TOP + 18 * number + 12, name, "start", colour=colour))
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    body = "\n".join(marks)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    path.write_text(f'{head}\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n', encoding="utf-8")


class _Axis:
    """A logarithmic axis from pixel ``start`` to ``stop`` over whole powers of ten."""

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._low, self._high = low, max(high, low + 1)
        self._start, self._stop = start, stop
        self.ticks = [10.0**power for power in range(self._low, self._high + 1)]

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._stop - self._start)


def _text(x: float, y: float, words: str, anchor: str = "middle", size: int = 12, colour: str = "#222") -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
