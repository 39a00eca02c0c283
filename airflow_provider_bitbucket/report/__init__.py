"""Render metric frames as an HTML page and an e-mail. Nothing here sends requests or computes metrics.

``asked`` lists the metrics that are needed, ``write`` turns their frames into a ``Report``, ``page`` and ``email`` render it.
"""

from airflow_provider_bitbucket.report.asks import asked
from airflow_provider_bitbucket.report.contents import Report, write
from airflow_provider_bitbucket.report.email import email
from airflow_provider_bitbucket.report.page import check_extra, page
from airflow_provider_bitbucket.report.period import WEEK, Period, last_whole_weeks

__all__ = ["WEEK", "Period", "Report", "asked", "check_extra", "email", "last_whole_weeks", "page", "write"]
