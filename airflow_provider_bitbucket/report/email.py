"""Render the report as an e-mail that consists of tables with inline styles; only the page has charts.

Gmail and Outlook remove inline images (``data:``) and SVG, and attached images (``cid:``) are hidden until the reader allows
them. Some clients remove style sheets, and Gmail truncates messages beyond 102 kB. Therefore the e-mail shows numbers, and
draws its bars with table cells, which all clients support.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_bitbucket.report.contents import Report
from airflow_provider_bitbucket.report.page import fill

#: Number of weeks in the e-mail; the page has all of them.
WEEKS = 12


def email(report: Report, path: str, page_url: str | None = None) -> str:
    """Return the report as the HTML of an e-mail.

    :param path: path of the page, shown as text if there is no link
    :param page_url: URL at which readers can open the page; None: there is none
    """
    weeks = report.tables["weeks"]
    if len(weeks.rows) > WEEKS:
        weeks = replace(weeks, rows=weeks.rows[-WEEKS:], note=f"The last {WEEKS} of {len(weeks.rows)}. {weeks.note}")
    return fill("email.html.j2", replace(report, tables={**report.tables, "weeks": weeks}), path=path, page_url=page_url)
