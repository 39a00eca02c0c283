"""The report for people: from metric frames to one HTML page, and to an e-mail. It asks Bitbucket nothing and computes no metric.

``asked`` says which metrics it wants, ``write`` makes the view of their frames, ``page`` and ``email`` are its two forms.
"""

from airflow_provider_bitbucket.report.asks import asked
from airflow_provider_bitbucket.report.contents import Report, write
from airflow_provider_bitbucket.report.email import email
from airflow_provider_bitbucket.report.page import check_extra, page
from airflow_provider_bitbucket.report.period import WEEK, Period, last_whole_weeks

__all__ = ["WEEK", "Period", "Report", "asked", "check_extra", "email", "last_whole_weeks", "page", "write"]
