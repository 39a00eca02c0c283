"""Read a dataset of one, several or all repositories of a workspace."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

log = logging.getLogger(__name__)

#: Rows turned into a piece of a Parquet file at a time, so that memory does not grow with their number.
_BATCH = 5_000


class Dataset:
    """A dataset by name.

    :param name: one of :data:`DATASETS`
    """

    def __init__(self, name: str) -> None:
        if name not in DATASETS:
            raise ValueError(f"Dataset is {name!r}; expected one of {', '.join(DATASETS)}")
        self.name = name
        self._module: Any = import_module(f"airflow_provider_bitbucket.datasets.{name}")

    @property
    def schema(self) -> Schema:
        """Its columns."""
        schema: Schema = self._module.SCHEMA
        return schema

    def frame(self, records: Iterable[Any]) -> pd.DataFrame:
        """Return records as a frame."""
        frame: pd.DataFrame = self._module.to_frame(records)
        return frame

    def records(
        self,
        client: BitbucketClient,
        repositories: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        **options: Any,
    ) -> Iterator[Any]:
        """Yield the records of repositories one after the other, with a log line for each of what it cost.

        A repository that can not be read raises, with its name: a half-read result is published nowhere.

        :param repositories: slugs; None: all of the workspace (one more request for every 100)
        :param options: those of the dataset's ``read``
        """
        names = [row["slug"] for row in client.repositories.list(fields="values.slug")] if repositories is None else repositories
        for at, name in enumerate(names, 1):
            began, rows = time.monotonic(), 0
            try:
                for record in self._module.read(client, name, since=since, until=until, **options):
                    rows += 1
                    yield record
            except Exception as error:
                error.add_note(f"While reading {self.name} of repository {client.full_name(name)}; nothing was published.")
                raise
            log.info(
                "%s of %s (%d of %d): %d rows in %.1f s; %d requests of this hour left.",
                self.name,
                client.full_name(name),
                at,
                len(names),
                rows,
                time.monotonic() - began,
                client.budget.remaining,
            )


def write_parquet(dataset: Dataset, records: Iterable[Any], path: Any) -> int:
    """Write records to a Parquet file and return their number.

    The file is written beside its place and moved there when it is whole, so a crash leaves the old file or none.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{path.name}.{uuid4().hex}.part"
    schema, rows = dataset.schema.arrow(), 0
    try:
        with beside.open("wb") as file, pq.ParquetWriter(file, schema) as writer:
            for batch in _batches(records):
                frame = dataset.frame(batch)
                writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
                rows += len(frame)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return rows


def as_moment(value: str | datetime | None, name: str) -> datetime | None:
    """Return a moment given as text or datetime; None for nothing and for a template that had nothing to say.

    :param value: ISO 8601 text or datetime; without time zone it is taken as UTC
    :param name: what it is called, for the error
    :raises ValueError: it is no moment
    """
    if value is None or value in ("", "None"):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}; expected an ISO 8601 moment such as '2026-11-02T00:00:00+00:00'") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _batches(records: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for record in records:
        batch.append(record)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
