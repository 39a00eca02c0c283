"""Render metric frames as an HTML page, an e-mail and a CSV table. Nothing here sends requests or computes metrics.

``required_metrics`` lists the metrics that are needed, ``write`` turns their frames into a ``Report``, ``page`` and ``email``
render it, and ``csv`` has the numbers.
"""

from airflow_provider_bitbucket.report.contents import Report, write
from airflow_provider_bitbucket.report.email import email
from airflow_provider_bitbucket.report.page import check_extra, page
from airflow_provider_bitbucket.report.period import WEEK, Period, last_whole_weeks
from airflow_provider_bitbucket.report.requirements import required_metrics
from airflow_provider_bitbucket.report.table import csv

__all__ = ["WEEK", "Period", "Report", "check_extra", "csv", "email", "last_whole_weeks", "page", "required_metrics", "write"]
