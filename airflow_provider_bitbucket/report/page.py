"""The report as one HTML page that needs nothing else: pictures, styles, no script."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.report.contents import Chart, Report
from airflow_provider_bitbucket.report.words import NOTHING, SAY

if TYPE_CHECKING:
    from jinja2 import Environment

#: What the extra ``report`` installs, which this needs.
_NEEDED = ("jinja2", "matplotlib")


def check_extra() -> None:
    """Find out whether what the report needs is installed, before a request is spent.

    :raises ImportError: names what is missing and the extra that has it
    """
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ImportError(
            f"The report needs {' and '.join(missing)}, which the extra 'report' installs: "
            "pip install 'airflow-provider-bitbucket[report]'"
        )


def page(report: Report) -> str:
    """Return the report as an HTML page: at home on a screen, a telephone and paper, light and dark.

    :raises ImportError: names the extra that is missing
    """
    check_extra()
    from airflow_provider_bitbucket.report.charts import COLOURS, draw

    pictures = {chart.name: draw(chart, report.weeks, report.old_weeks) for chart in report.charts if not chart.is_empty}
    return fill("page.html.j2", report, pictures=pictures, colours=COLOURS)


def fill(template: str, report: Report, **values: Any) -> str:
    """Return a template with the report in it; every text is escaped."""
    return _environment().get_template(template).render(report=report, numbers_of=numbers_of, alt=alt, **values)


def numbers_of(chart: Chart) -> list[list[str]]:
    """Return the numbers of a picture in words: a list for each series."""
    return [[SAY[chart.unit](value) for value in values] for values in chart.series.values()]


def alt(chart: Chart, weeks: list[str]) -> str:
    """Return what a picture shows, for who does not see it."""
    series = [
        f"{name}: " + ", ".join(f"{week} {said}" for week, said in zip(weeks, values, strict=True) if said != NOTHING)
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
