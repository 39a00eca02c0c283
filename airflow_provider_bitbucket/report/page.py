"""Render the report as one self-contained HTML page with charts and styles, and without scripts."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.report.contents import Chart, Report
from airflow_provider_bitbucket.report.formats import FORMATS, NOTHING

if TYPE_CHECKING:
    from jinja2 import Environment

#: Required packages, which the extra ``report`` installs.
_REQUIRED = ("jinja2", "matplotlib")


def check_extra() -> None:
    """Check that the packages of the extra ``report`` are installed, before any request is sent.

    :raises ImportError: a package is missing; the message names it and the extra
    """
    if missing := [name for name in _REQUIRED if importlib.util.find_spec(name) is None]:
        raise ImportError(
            f"The report needs {' and '.join(missing)}, which the extra 'report' installs: "
            "pip install 'airflow-provider-bitbucket[report]'"
        )


def page(report: Report) -> str:
    """Return the report as an HTML page for screen, phone and print, in light and dark colours.

    :raises ImportError: a package of the extra ``report`` is missing
    """
    check_extra()
    from airflow_provider_bitbucket.report.charts import COLOURS, draw

    images = {chart.name: draw(chart, report.weeks, report.old_weeks) for chart in report.charts if not chart.is_empty}
    return fill("page.html.j2", report, images=images, colours=COLOURS)


def fill(template: str, report: Report, **values: Any) -> str:
    """Return a template rendered with the report; all texts are escaped."""
    return _environment().get_template(template).render(report=report, numbers_of=numbers_of, alt=alt, **values)


def numbers_of(chart: Chart) -> list[list[str]]:
    """Return the formatted numbers of a chart, one list per series."""
    return [[FORMATS[chart.unit](value) for value in values] for values in chart.series.values()]


def alt(chart: Chart, weeks: list[str]) -> str:
    """Return the numbers of a chart as text, for screen readers."""
    series = [
        f"{name}: " + ", ".join(f"{week} {text}" for week, text in zip(weeks, values, strict=True) if text != NOTHING)
        for name, values in zip(chart.series, numbers_of(chart), strict=True)
    ]
    return f"{chart.title}, by week. {'; '.join(series)}."


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("airflow_provider_bitbucket.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["whole"] = lambda text: text.replace(" ", "\N{NO-BREAK SPACE}")
    return found
