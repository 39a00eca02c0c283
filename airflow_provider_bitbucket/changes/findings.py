"""Read results of data tests: of dbt, of Great Expectations, or a table of findings. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from airflow_provider_bitbucket.client.types import Severity

_SEVERITIES: tuple[str, ...] = get_args(Severity)  # the worst first
#: Status of a dbt result -> severity of its finding; any other status is none.
_DBT = {"error": "CRITICAL", "runtime error": "CRITICAL", "fail": "HIGH", "partial success": "HIGH", "warn": "LOW"}
#: Severity of an expectation, since Great Expectations 1.6 -> severity of its finding.
_EXPECTATIONS = {"critical": "HIGH", "warning": "LOW", "info": "LOW"}
_EXPECTED = (
    "expected dbt's run_results.json, a result of Great Expectations, or a DataFrame or records with the column 'message', and "
    "as needed 'path', 'line' and 'severity'"
)


@dataclass(frozen=True)
class Finding:
    """Something that a test has found.

    :param message: a sentence
    :param path: file that it is about, from the root of the repository; None: unknown
    :param line: line of the file; None: unknown
    :param severity: CRITICAL, HIGH, MEDIUM or LOW; LOW does not fail the report
    """

    message: str
    path: str | None = None
    line: int | None = None
    severity: Severity = "HIGH"

    @property
    def rank(self) -> int:
        """0 for the worst severity."""
        return _SEVERITIES.index(self.severity)


@dataclass(frozen=True)
class Results:
    """The findings of a run of tests.

    :param checks: number of tests, None where only findings are known
    :param tool: what ran them; empty: unknown
    :param seconds: duration; None: unknown
    """

    findings: Sequence[Finding]
    checks: int | None = None
    tool: str = ""
    seconds: float | None = None

    @property
    def is_passed(self) -> bool:
        """Whether there is no finding but of severity LOW."""
        return all(finding.severity == "LOW" for finding in self.findings)


def read_results(results: Any, manifest: Any = None, path: str | None = None) -> Results:
    """Return the findings of a result.

    :param results: content of dbt's ``run_results.json``, a validation or checkpoint result of Great Expectations as a mapping,
        or a DataFrame or records with ``message``, ``path``, ``line`` and ``severity``
    :param manifest: content of dbt's ``manifest.json``, which has the path of the model that a test is about
    :param path: file of findings that name none
    :raises ValueError: the result has another form
    """
    if isinstance(results, Mapping):
        if _has_dbt_form(results):
            found = _of_dbt(results, manifest if isinstance(manifest, Mapping) else {})
        elif "success" in results or isinstance(results.get("run_results"), Mapping):
            found = _of_expectations(results)
        else:
            raise ValueError(f"results is a mapping with the keys {sorted(map(str, results))[:10]}; {_EXPECTED}")
    else:
        found = Results([*_of_table(results)])
    return replace(found, findings=[finding if finding.path else replace(finding, path=path) for finding in found.findings])


def _has_dbt_form(results: Mapping[str, Any]) -> bool:
    rows = results.get("results")
    return isinstance(rows, list) and all(isinstance(row, Mapping) and "unique_id" in row for row in rows) and "args" in results


def _of_dbt(results: Mapping[str, Any], manifest: Mapping[str, Any]) -> Results:
    """Schema: schemas.getdbt.com/dbt/run-results."""
    nodes = manifest.get("nodes")
    nodes = nodes if isinstance(nodes, Mapping) else {}
    findings = []
    for row in results["results"]:
        if severity := _DBT.get(str(row.get("status")).lower()):
            name = str(row["unique_id"]).split(".")
            text = str(row.get("message") or row.get("status"))
            findings.append(Finding(f"{name[2] if len(name) > 2 else name[-1]}: {text}", _dbt_path(nodes, row), None, severity))  # type: ignore[arg-type]  # of _DBT
    elapsed = results.get("elapsed_time")
    return Results(findings, len(results["results"]), "dbt", elapsed if isinstance(elapsed, int | float) else None)


def _dbt_path(nodes: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    """Return the path of the model that a test is attached to (dbt 1.5), else of the test or model itself."""
    node = nodes.get(row["unique_id"])
    attached = nodes.get(str(node.get("attached_node"))) if isinstance(node, Mapping) else None
    for one in (attached, node):
        if isinstance(one, Mapping) and isinstance(one.get("original_file_path"), str):
            return str(one["original_file_path"]).replace("\\", "/")
    return None


def _of_expectations(results: Mapping[str, Any]) -> Results:
    """Form: docs.greatexpectations.io, "Validation Result" and "Checkpoint Result"."""
    rows = [row for validation in _validations(results) for row in validation.get("results") or () if isinstance(row, Mapping)]
    findings = [_of_expectation(row) for row in rows if not row.get("success")]
    return Results(findings, len(rows), "Great Expectations")


def _validations(results: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    runs = results.get("run_results")
    for one in runs.values() if isinstance(runs, Mapping) else [results]:
        if isinstance(one, Mapping):
            inner = one.get("validation_result")
            yield inner if isinstance(inner, Mapping) else one


def _of_expectation(row: Mapping[str, Any]) -> Finding:
    config, outcome = _mapping(row, "expectation_config"), _mapping(row, "result")
    kind = config.get("type") or config.get("expectation_type") or "expectation"
    column = _mapping(config, "kwargs").get("column")
    text = f"{kind}({column})" if column else str(kind)
    error = _mapping(row, "exception_info").get("exception_message")
    if error:
        return Finding(f"{text}: {error}", severity="CRITICAL")
    if (count := outcome.get("unexpected_count")) is not None:
        text += f": {count} unexpected values"
    elif (value := outcome.get("observed_value")) is not None:
        text += f": observed {value}"
    return Finding(text, severity=_EXPECTATIONS.get(str(config.get("severity")).lower(), "HIGH"))  # type: ignore[arg-type]  # of _EXPECTATIONS


def _of_table(results: Any) -> Iterator[Finding]:
    rows = results.to_dict("records") if hasattr(results, "to_dict") else results
    if isinstance(rows, str | bytes) or not isinstance(rows, Sequence):
        raise ValueError(f"results is a {type(results).__name__}; {_EXPECTED}")  # noqa: TRY004 - bad parameters are all ValueErrors
    for row in rows:
        if not isinstance(row, Mapping) or _value(row, "message") is None:
            raise ValueError(f"A row of results is {str(row)[:200]}; {_EXPECTED}")
        severity, line = _value(row, "severity"), _value(row, "line")
        if severity is not None and str(severity).upper() not in _SEVERITIES:
            raise ValueError(f"A severity of results is {severity!r:.100}; expected one of {', '.join(_SEVERITIES)}")
        if line is not None and not _is_line(line):
            raise ValueError(f"A line of results is {line!r:.100}; expected a whole number of at least 1")
        path = _value(row, "path")
        yield Finding(
            str(_value(row, "message")),
            None if path is None else str(path),
            None if line is None else int(line),
            str(severity or "HIGH").upper(),  # type: ignore[arg-type]  # checked above
        )


def _value(row: Mapping[str, Any], name: str) -> Any:
    """Return a value of a table's row; None for a missing one of pandas too, which differs from itself or refuses to compare."""
    value = row.get(name)
    try:
        return None if value is None or bool(value != value) or value == "" else value
    except TypeError:
        return None


def _is_line(value: Any) -> bool:
    try:
        return int(value) == float(value) >= 1
    except (TypeError, ValueError, OverflowError):
        return False


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
