"""The report as an e-mail: tables and inline styles alone, for the page has the pictures.

Pictures do not arrive: Gmail and Outlook drop those in the text (``data:``) and SVG, and what is attached for the text (``cid:``)
is hidden until somebody allows it. Styles outside the elements are dropped by some, and Gmail cuts what is over 102 kB. So the
e-mail says it in numbers, and draws its bars with the cells of tables, which everything shows.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_bitbucket.report.contents import Report
from airflow_provider_bitbucket.report.page import fill

#: Weeks that are shown; the page has all.
WEEKS = 12


def email(report: Report, path: str) -> str:
    """Return the report as the HTML of an e-mail.

    :param path: where the page is, told and not linked
    """
    weeks = report.tables["weeks"]
    if len(weeks.rows) > WEEKS:
        weeks = replace(weeks, rows=weeks.rows[-WEEKS:], note=f"The last {WEEKS} of {len(weeks.rows)}. {weeks.note}")
    return fill("email.html.j2", replace(report, tables={**report.tables, "weeks": weeks}), path=path)
