"""Publish findings as a report of Code Insights, with annotations on the changed lines."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_bitbucket.changes.build_statuses import full_hash
from airflow_provider_bitbucket.changes.findings import Finding, Results
from airflow_provider_bitbucket.client import BitbucketClient, BitbucketNotFoundError
from airflow_provider_bitbucket.client.resources.reports import MOST_ANNOTATIONS
from airflow_provider_bitbucket.client.types import Annotation, Report, ReportData, ReportType

#: Longer summaries are refused (reviewdog#1344, 2022).
_LONGEST_SUMMARY = 450
_LONGEST_DETAILS = 2_000
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def publish_report(
    client: BitbucketClient,
    repository: str,
    commit: str,
    results: Results,
    *,
    report: str,
    title: str,
    link: str,
    report_type: ReportType,
    destination: str | None = None,
) -> dict[str, Any]:
    """Publish findings as a report on a commit, in place of an earlier one with the same id, and return a summary.

    The earlier report is deleted first, because its annotations would stay. Attempts that are repeated after a lost answer or a
    kill at any point have the effect of one. Costs three requests for up to 100 findings and one for each further 100; one
    more with a short hash, and one with ``destination``.

    :param repository: slug, or ``workspace/slug``
    :param commit: hash, full or short
    :param report: id of the report
    :param link: address that the report leads to
    :param destination: branch that the commit is to be merged into: findings are then ordered and placed by what the commit
        changes. None: they are published as they are
    :return: ``report``, ``commit``, ``result``, ``findings``, ``annotations`` (at most 1,000) and ``link``
    :raises BitbucketError: the commit does not exist, or Bitbucket refuses the report
    """
    full = full_hash(client, repository, commit)
    changed = changed_lines(client.commits.diff(repository, full, destination)) if destination else {}
    shown = placed(results.findings, changed)[:MOST_ANNOTATIONS]
    result = "PASSED" if results.is_passed else "FAILED"
    content: Report = {
        "title": title,
        "details": _details(results, len(shown)),
        "report_type": report_type,
        "result": "PASSED" if results.is_passed else "FAILED",
        "link": link,
        "data": _figures(results),
    }
    if results.tool:
        content["reporter"] = results.tool
    with contextlib.suppress(BitbucketNotFoundError):  # there is none, or an earlier attempt has deleted it
        client.reports.delete(repository, full, report)
    client.reports.put(repository, full, report, content)
    client.reports.annotate(repository, full, report, as_annotations(shown))
    counts = {"findings": len(results.findings), "annotations": len(shown)}
    return {"report": report, "commit": full, "result": result, **counts, "link": link}


def changed_lines(diff: str) -> dict[str, list[int]]:
    """Return the added lines of each file in a diff in git's form, in ascending order."""
    lines: dict[str, list[int]] = {}
    path, number = None, 0
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            path, number = None, 0
        elif line.startswith("+++ ") and not number:
            path = _path(line[4:])
            if path:
                lines[path] = []
        elif hunk := _HUNK.match(line):
            number = int(hunk[1])
        elif number and line.startswith("+"):
            if path:
                lines[path].append(number)
            number += 1
        elif number and line.startswith(" "):
            number += 1
    return lines


def placed(findings: Iterable[Finding], changed: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Return findings in the order of their importance: on changed lines, in changed files, elsewhere; the worst first.

    A finding without a line in a changed file gets the first changed line, where reviewers see it.
    """

    def place(finding: Finding) -> tuple[tuple[int, int], Finding]:
        lines = changed.get(finding.path or "")
        if lines is None:
            return (2, finding.rank), finding
        if finding.line is None and lines:
            finding = replace(finding, line=lines[0])
        return (0 if finding.line in lines else 1, finding.rank), finding

    return [finding for _, finding in sorted(map(place, findings), key=lambda one: one[0])]


def as_annotations(findings: Iterable[Finding]) -> list[Annotation]:
    """Return findings as annotations, each with an id that depends on the finding alone."""
    seen: Counter[Finding] = Counter()
    made: list[Annotation] = []
    for finding in findings:
        identity = f"{finding.path}\n{finding.line}\n{finding.message}\n{finding.severity}\n{seen[finding]}"
        seen[finding] += 1
        annotation: Annotation = {
            "external_id": hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:32],
            "annotation_type": "BUG",
            "summary": _shortened(" ".join(finding.message.split()) or "No message", _LONGEST_SUMMARY),
            "severity": finding.severity,
            "result": "PASSED" if finding.severity == "LOW" else "FAILED",
        }
        if len(finding.message) > _LONGEST_SUMMARY or "\n" in finding.message.strip():
            annotation["details"] = _shortened(finding.message, _LONGEST_DETAILS)
        if finding.path:
            annotation["path"] = finding.path
            if finding.line:
                annotation["line"] = finding.line
        made.append(annotation)
    return made


def _details(results: Results, shown: int) -> str:
    count = len(results.findings)
    of_checks = "" if results.checks is None else f" in {results.checks:,} checks"
    rest = f" The {shown:,} most important are shown." if shown < count else ""
    return f"{count:,} {'finding' if count == 1 else 'findings'}{of_checks}.{rest}"


def _figures(results: Results) -> list[ReportData]:
    failed = sum(finding.severity != "LOW" for finding in results.findings)
    figures: list[ReportData] = [
        {"title": "Failed", "type": "NUMBER", "value": failed},
        {"title": "Warnings", "type": "NUMBER", "value": len(results.findings) - failed},
    ]
    if results.checks is not None:
        figures.insert(0, {"title": "Checks", "type": "NUMBER", "value": results.checks})
    if results.seconds is not None:
        figures.append({"title": "Duration", "type": "DURATION", "value": round(results.seconds * 1000)})  # milliseconds
    return figures


def _path(name: str) -> str | None:
    """Return the path of a ``+++`` line; None of a deleted file."""
    name = name.rstrip("\t")
    if name.startswith('"') and name.endswith('"'):  # git quotes other characters than ASCII, byte by byte
        name = codecs.escape_decode(name[1:-1].encode())[0].decode(errors="replace")
    return name.removeprefix("b/") if name != "/dev/null" else None


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
