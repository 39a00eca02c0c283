"""Code Insights: reports on a commit and their annotations."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

ReportType = Literal["SECURITY", "COVERAGE", "TEST", "BUG"]
ReportResult = Literal["PASSED", "FAILED", "PENDING"]
AnnotationType = Literal["VULNERABILITY", "CODE_SMELL", "BUG"]
AnnotationResult = Literal["PASSED", "FAILED", "SKIPPED", "IGNORED"]
Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]


class ReportData(TypedDict, total=False):
    """A figure of a report. Its type decides what ``value`` is: durations and dates are in milliseconds."""

    type: Literal["BOOLEAN", "DATE", "DURATION", "LINK", "NUMBER", "PERCENTAGE", "TEXT"]
    title: str
    value: Any


class Report(TypedDict, total=False):
    """A report on a commit. ``external_id`` is the id that its creator chose."""

    type: str
    uuid: str
    external_id: str
    title: str
    details: str
    reporter: str
    link: str
    logo_url: str
    remote_link_enabled: bool
    report_type: ReportType
    result: ReportResult
    data: list[ReportData]
    created_on: str
    updated_on: str


class Annotation(TypedDict, total=False):
    """A finding of a report. ``external_id`` is unique within the report; without ``path`` it belongs to the whole commit."""

    type: str
    uuid: str
    external_id: str
    annotation_type: AnnotationType
    path: str
    line: int
    summary: str
    details: str
    result: AnnotationResult
    severity: Severity
    link: str
    created_on: str
    updated_on: str
