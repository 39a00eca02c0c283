"""Validate incidents from an external source, which replace the proxies of DORA's failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.metrics.changes import rows_of

if TYPE_CHECKING:
    import pandas as pd

    Incidents = pd.DataFrame | Iterable[Mapping[str, Any]]

INCIDENTS = Schema(
    "incidents",
    (),
    (
        Column("repository", TEXT, "workspace/repository whose deployment caused it", "given"),
        Column("created_on", TIMESTAMP, "when it began", "given"),
        Column("resolved_on", TIMESTAMP, "when it was resolved; null while open", "given"),
    ),
)

_EXPECTED = "records or a DataFrame with repository (workspace/repository), created_on and resolved_on (null while open)"


def incidents_frame(incidents: Incidents, full_name: Callable[[str], str] | None = None) -> pd.DataFrame:
    """Return incidents as a frame with the columns of :data:`INCIDENTS`.

    Malformed values are errors: a malformed timestamp would otherwise count as an open incident, and an unknown
    repository as one without incidents.

    :param incidents: records or a frame with these columns, and any others; timestamps are datetimes or ISO 8601 texts, in UTC
        without a time zone
    :param full_name: converts a repository to ``workspace/repository``; None: it must have this form
    :raises ValueError: a column is missing or a value is malformed; the message names it
    """
    import pandas as pd

    if isinstance(incidents, str | bytes | Mapping):
        raise ValueError(  # noqa: TRY004 - callers handle one kind of error for all invalid incidents
            f"incidents is a {type(incidents).__name__}; expected {_EXPECTED}"
        )
    frame = incidents if isinstance(incidents, pd.DataFrame) else _of_records(incidents)
    if missing := [name for name in INCIDENTS.names if name not in frame.columns]:
        known = ", ".join(map(str, frame.columns)) or "none"
        raise ValueError(f"incidents lack {', '.join(missing)}; expected {_EXPECTED}; their columns are {known}")
    return INCIDENTS.frame(
        {
            "repository": _repository(row["repository"], number, full_name),
            "created_on": _timestamp(row["created_on"], "created_on", number),
            "resolved_on": _timestamp(row["resolved_on"], "resolved_on", number),
        }
        for number, row in enumerate(rows_of(frame[INCIDENTS.names]))
    )


def _of_records(incidents: Iterable[Any]) -> pd.DataFrame:
    import pandas as pd

    records = list(incidents)
    if wrong := [one for one in records if not isinstance(one, Mapping)]:
        raise ValueError(f"incidents hold {wrong[0]!r}; expected {_EXPECTED}")
    return pd.DataFrame(records, dtype=object) if records else INCIDENTS.empty()


def _repository(value: Any, number: int, full_name: Callable[[str], str] | None) -> str:
    if isinstance(value, str) and value.strip():
        if full_name:
            return full_name(value)
        if "/" in value:
            return value
    raise ValueError(f"repository of incident {number} is {value!r}; expected workspace/repository")


def _timestamp(value: Any, name: str, number: int) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        timestamp = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise ValueError(
            f"{name} of incident {number} is {value!r}; expected a timestamp such as '2026-11-02T08:00:00+00:00'"
        ) from None
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
