"""Draw charts as inline SVG that uses the page's colours, light or dark, and real text.

The same numbers give the same bytes. Charts contain no text that users wrote.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.report.contents import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Series in order: blue, vermilion and green of Okabe and Ito's palette, distinguishable for colour-blind readers.
COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)")
_MARKERS = ("o", "s", "^")

#: matplotlib does not support CSS variables, so it draws with placeholder colours that are replaced afterwards.
_INK, _GRID, _SHADE = "#0a0b01", "#0a0b02", "#0a0b03"
_SERIES = ("#0a0b11", "#0a0b12", "#0a0b13")
_CSS = {_INK: "var(--muted)", _GRID: "var(--line)", _SHADE: "var(--shade)", **dict(zip(_SERIES, COLOURS, strict=True))}

#: The width of a phone, so that text has the same size there as on a screen, where charts are side by side.
_WIDTH, _HEIGHT, _POINTS = 360, 200, 72
_LABELS = 5
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "airflow-provider-bitbucket",
    "font.size": 12,
    "axes.edgecolor": _GRID,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _GRID,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def draw(chart: Chart, weeks: Sequence[str], old_weeks: int) -> str:
    """Return a chart as an ``<svg>`` element without width and height.

    :param weeks: labels of the weeks
    :param old_weeks: how many of them belong to the period before; these are shaded
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(["default", _STYLE]):  # independent of the machine's own settings
        figure = Figure(figsize=(_WIDTH / _POINTS, _HEIGHT / _POINTS))
        figure.patch.set_visible(False)
        axes = figure.add_axes((0.15, 0.12, 0.835, 0.81))
        axes.patch.set_visible(False)
        if old_weeks:
            axes.axvspan(-0.5, old_weeks - 0.5, color=_SHADE, linewidth=0)
            axes.text(old_weeks / 2 - 0.5, 1.02, "the period before", transform=axes.get_xaxis_transform(), ha="center", size=11)
        (_lines if chart.kind == "lines" else _bars)(axes, chart)
        step = math.ceil(len(weeks) / _LABELS)
        shown = range(old_weeks % step, len(weeks), step)
        axes.set_xticks(list(shown), [weeks[at] for at in shown])
        axes.set_xlim(-0.5, len(weeks) - 0.5)
        _scale(axes, chart)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(file.getvalue().decode(), chart.name)


def _bars(axes: Axes, chart: Chart) -> None:
    many = 1 if chart.kind == "stack" else len(chart.series)
    width = 0.7 / many
    below = [0.0] * len(next(iter(chart.series.values())))
    for place, (values, colour) in enumerate(zip(chart.series.values(), _SERIES, strict=False)):
        heights = [value or 0.0 for value in values]
        at = [week + (0 if many == 1 else (place - (many - 1) / 2) * width) for week in range(len(heights))]
        axes.bar(at, heights, width, bottom=below if many == 1 else None, color=colour)
        if many == 1:
            below = [one + other for one, other in zip(below, heights, strict=True)]


def _lines(axes: Axes, chart: Chart) -> None:
    for values, colour, marker in zip(chart.series.values(), _SERIES, _MARKERS, strict=False):
        heights = [math.nan if value is None else value for value in values]  # a week without a value leaves a gap
        axes.plot(range(len(heights)), heights, color=colour, marker=marker, markersize=5, linewidth=2)


def _scale(axes: Axes, chart: Chart) -> None:
    """Set the labels of the y axis: ``2 d``, ``80%``, ``12``."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    top = axes.get_ylim()[1]
    if chart.unit == "share":
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_locator(MultipleLocator(0.25))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        return
    axes.set_ylim(0, top or 1)
    if chart.unit == "count":
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        return
    size, unit = next((step for step in _STEPS if top >= 2 * step[0]), _STEPS[-1])
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top / size)
    axes.set_yticks(
        [tick * size for tick in ticks if tick * size <= top], [f"{tick:g} {unit}" for tick in ticks if tick * size <= top]
    )


def _inline(svg: str, name: str) -> str:
    """Return matplotlib's document as an element that can be embedded in a page beside others."""
    svg = re.sub(r"<defs>\s*<style.*?</defs>\s*", "", svg[svg.index("<svg") :], count=1, flags=re.DOTALL)  # of the whole page
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<svg [^>]*>", f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true" focusable="false">', svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font-family: [^;\"]*;?", "", svg)
    for drawn, css in _CSS.items():
        svg = svg.replace(drawn, css)
    return re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><").strip()
