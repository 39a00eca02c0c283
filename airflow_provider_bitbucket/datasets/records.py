"""The rule for malformed records, which all datasets follow.

- A record keeps its readable values. A malformed field is null, never 0, as is a part that costs a request of its own and is
  refused permanently (:data:`LASTING`).
- A row without its key is dropped: it could replace other rows, and no later row would replace it.
- Both are reported: counted and named in the log and the result (:class:`Incomplete`).
- The repository fails if its list cannot be read, if the credentials are refused (401, or 403 for a missing scope, which would
  leave every record incomplete), and on transient errors (429, 502, 503, 504, no response), which say nothing about the record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_bitbucket.client import BitbucketError, BitbucketPermissionError
from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError, malformed_response
from airflow_provider_bitbucket.datasets.frames import FrameBuilder
from airflow_provider_bitbucket.datasets.intervals import chunks
from airflow_provider_bitbucket.datasets.schema import Schema, record_name

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Raised by code that reads a malformed response.
MALFORMED = (TypeError, KeyError, AttributeError, ValueError, OverflowError, RecursionError, IndexError)
#: Statuses of responses that do not change on retry and concern one record. 400: no common history; 403: a fork that these
#: credentials may not read; 404: its commits were deleted; 410: removed; 500 and 555: too large for Bitbucket, after all retries.
LASTING = frozenset({400, 403, 404, 410, 500, 555})
#: Records that are converted together, and in memory together: few, because they can be large (timelines, diffstats).
_CHUNK = 50
_NAMES = ("build_number", "id", "uuid", "hash", "key", "name", "slug")


@dataclass(frozen=True)
class Incomplete:
    """A record that could not be read completely.

    :param repository: ``workspace/repository``; of members the workspace
    :param record: its name, such as ``pull request 7``
    :param missing: names of the null parts, such as ``commits``; ``row``: the record has no row
    :param error: the reason
    """

    repository: str
    record: str
    missing: str
    error: str

    @property
    def is_dropped(self) -> bool:
        """Whether the record has no row."""
        return self.missing == "row"

    def as_dict(self) -> dict[str, str]:
        """Return the fields as a dict, for XCom."""
        return asdict(self)


OnIncomplete = Callable[[Incomplete], None]


def log_incomplete(record: Incomplete) -> None:
    """Log an incomplete record as a warning."""
    kept = "was left out" if record.is_dropped else f"has no {record.missing}"
    log.warning("%s of %s %s: %s", record.record, record.repository, kept, record.error)


def malformed(dataset: str, repository: str, record: str, error: BaseException) -> BitbucketServerError:
    """Return a malformed-response error that names the record and the exception raised while reading it."""
    where = f"{record} of {repository}" if record else f"{dataset} of {repository}"
    return malformed_response(f"Bitbucket sent a malformed response for {where} ({type(error).__name__}: {str(error)[:200]}).")


def well_formed(records: Iterable[T], dataset: str, repository: str) -> Iterator[T]:
    """Yield the records of a repository.

    :raises BitbucketServerError: the list itself is malformed
    """
    try:
        yield from records
    except MALFORMED as error:
        raise malformed(dataset, repository, "", error) from error


@dataclass(frozen=True)
class RecordReader:
    """Reads the records of one repository according to the rule of this module.

    :param dataset: name of the dataset
    :param repository: ``workspace/repository``
    :param on_incomplete: called for each record that is incomplete or dropped
    """

    dataset: str
    repository: str
    on_incomplete: OnIncomplete

    def part(self, record: object, missing: str, read: Callable[[], T]) -> T | None:
        """Return a part of a record that costs requests of its own; None if it is refused permanently or malformed.

        :param record: identifier of the record, such as the number of a pull request
        :param missing: name of the part
        :param read: reads the part
        :raises BitbucketError: the error does not concern this record alone
        """
        name = record_name(self.dataset, record)
        try:
            return read()
        except BitbucketError as error:
            if not is_lasting(error):
                raise
            reason = str(error)
        except MALFORMED as error:
            reason = str(malformed(self.dataset, self.repository, name, error))
        self.on_incomplete(Incomplete(self.repository, name, missing, reason))
        return None

    def each(self, rows: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
        """Yield the result of ``read`` for each row, without the fields on which it fails; drop rows that stay malformed.

        :param rows: objects of a list
        :param read: makes no requests
        """
        for row in rows:
            try:
                yield self._readable(row, read)
            except (BitbucketServerError, *MALFORMED) as error:
                name = record_name(self.dataset, name_of(row))
                reason = error if isinstance(error, BitbucketError) else malformed(self.dataset, self.repository, name, error)
                self.on_incomplete(Incomplete(self.repository, name, "row", str(reason)))

    def _readable(self, row: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> T:
        try:
            return read(row)
        except MALFORMED as error:
            kept, fields = without_malformed({"row": row}, lambda record: read(record["row"]))
            found = read(kept["row"])
            name = record_name(self.dataset, name_of(row))
            reason = malformed(self.dataset, self.repository, name, error)
            self.on_incomplete(Incomplete(self.repository, name, ", ".join(fields), str(reason)))
            return found


def is_lasting(error: BitbucketError) -> bool:
    """Return whether an error is permanent and concerns one record; a missing scope concerns all of them."""
    if isinstance(error, BitbucketPermissionError) and error.required:
        return False
    return error.status in LASTING


def name_of(row: Mapping[str, Any]) -> str:
    """Return the identifier of a row of a list for messages; ``unknown`` if it is unreadable."""
    pull_request = row.get("pull_request")
    if isinstance(pull_request, Mapping):  # an entry of a timeline has no identifier
        row = pull_request
    values = (row.get(name) for name in _NAMES)
    return next((str(value)[:100] for value in values if isinstance(value, str | int) and value), "unknown")


def without_malformed(record: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a record without the fields of its objects on which ``read`` fails, and the names of these fields.

    :param record: plain values, lists and objects; the fields of objects are tried one by one
    :raises Exception: ``read`` fails even on the record without any of these fields
    """
    kept: dict[str, Any] = {
        name: {} if isinstance(part, Mapping) else None if isinstance(part, list) else part for name, part in record.items()
    }
    read(kept)
    fields: list[str] = []

    def is_readable() -> bool:
        try:
            read(kept)
        except MALFORMED:
            return False
        return True

    def add(into: dict[str, Any], name: str, value: Any) -> None:
        into[name] = value
        if is_readable():
            return
        into[name] = {} if isinstance(value, Mapping) else None
        if isinstance(value, Mapping) and is_readable():
            for field, part in value.items():
                add(into[name], field, part)
        else:
            into[name] = None
            fields.append(str(name)[:100])

    for name, part in record.items():
        if isinstance(part, Mapping):
            for field, value in part.items():
                add(kept[name], field, value)
        elif isinstance(part, list):
            add(kept, name, part)
    return kept, fields


def records_frame(schema: Schema, records: Iterable[Mapping[str, Any]], on_incomplete: OnIncomplete) -> pd.DataFrame:
    """Return records as a frame: a row for each record that has its key, null where a record is malformed.

    :param schema: of the dataset
    :param records: what ``read`` of the dataset yields
    :param on_incomplete: called for each record that is incomplete or dropped
    """
    builder = FrameBuilder(schema.columns)
    for chunk in chunks(records, _CHUNK):
        builder.add(_values(schema, chunk, on_incomplete))
    frame = builder.frame()
    for position, columns in builder.unusable().items():
        row = {name: frame[name].iloc[position] for name in schema.key}
        error = malformed(schema.dataset, _source(schema, row), schema.name_of(row), TypeError(", ".join(columns)))
        on_incomplete(Incomplete(_source(schema, row), schema.name_of(row), ", ".join(columns), str(error)))
    return frame


def _values(schema: Schema, records: Sequence[Mapping[str, Any]], on_incomplete: OnIncomplete) -> Sequence[Sequence[Any]]:
    """Return the values of each column: of all records at once or, if one of them is malformed, one by one."""
    try:
        values = schema.values_of(records)
        if schema.have_keys(values):
            return values
    except MALFORMED:
        pass  # raised again below, for the one record that is malformed
    rows = [row for record in records if (row := _row(schema, record, on_incomplete)) is not None]
    return [[row.get(name) for row in rows] for name in schema.names]


def _row(schema: Schema, record: Mapping[str, Any], on_incomplete: OnIncomplete) -> Mapping[str, Any] | None:
    """Return the row of a record, or None if it has no key."""
    problem: BaseException | None = None
    fields: list[str] = []
    try:
        try:
            values: Mapping[str, Any] = schema.row(record)
        except MALFORMED as error:
            problem = error
            kept, fields = without_malformed(record, schema.row)
            values = schema.row(kept)
    except MALFORMED as error:
        values, problem = {schema.key[0]: record.get(schema.key[0])}, error
    if missing := schema.missing_key(values):
        problem, fields = problem or KeyError(*missing), ["row"]
    if problem:
        source, name = _source(schema, values), schema.name_of(values)
        reason = malformed(schema.dataset, source, name, problem)
        on_incomplete(Incomplete(source, name, ", ".join(fields), str(reason)))
    return None if missing else values


def _source(schema: Schema, values: Mapping[str, Any]) -> str:
    return str(values.get(schema.key[0]))
