"""Read a dataset of one, several or all repositories of a workspace."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.intervals import chunks
from airflow_provider_bitbucket.datasets.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

log = logging.getLogger(__name__)

#: Rows turned into a piece of a Parquet file at a time, so that memory does not grow with their number.
_BATCH = 5_000


class Dataset:
    """A dataset by name.

    :param name: one of :data:`~airflow_provider_bitbucket.datasets.DATASETS`
    :raises ValueError: there is no such dataset
    """

    def __init__(self, name: str) -> None:
        if name not in DATASETS:
            raise ValueError(f"There is no dataset {name!r}; expected one of {', '.join(DATASETS)}")
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
        repositories: Sequence[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Yield the records of repositories one after the other, with a log line for each of what it cost.

        :param repositories: slugs or ``workspace/slug``, or one of them; None: all of the workspace, at one more request for
            every 100, unless the dataset comes from the workspace in one list
        :param options: those of the dataset's ``read``
        :raises BitbucketError: a repository can not be read; the log and a note of the error name it, and nothing of the
            others should be published
        """
        read, names = self._sources(client, repositories)
        for at, name in enumerate(names, 1):
            began, sent, rows = time.monotonic(), client.budget.sent, 0
            try:
                for record in read(client, name, since=since, until=until, **options):
                    rows += 1
                    yield record
            except Exception as error:
                error.add_note(f"This happened while reading {self.name} of {name}.")
                log.error("%s of %s can not be read: %s", self.name, name, error)
                raise
            log.info(
                "%s of %s (%d of %d): %s rows, %d requests, %.1f s; %s requests of this hour are left.",
                self.name,
                name,
                at,
                len(names),
                f"{rows:,}",
                client.budget.sent - sent,
                time.monotonic() - began,
                f"{client.budget.remaining:,}",
            )

    def _sources(
        self, client: BitbucketClient, repositories: Sequence[str] | str | None
    ) -> tuple[Callable[..., Iterator[Any]], list[str]]:
        """Return how it is read, and of which repositories, or workspaces if it is theirs alone."""
        read_workspace: Any = getattr(self._module, "read_workspace", None)
        if read_workspace and repositories is None:
            return read_workspace, [client.workspace_slug()]
        names = repository_names(client, repositories)
        if hasattr(self._module, "read"):
            return self._module.read, names
        return read_workspace, list(dict.fromkeys(name.partition("/")[0] for name in names))


def write_parquet(dataset: Dataset, records: Iterable[Any], path: Any) -> int:
    """Write records to a Parquet file and return their number.

    The file is written beside its place and moved there when it is whole, so a crash leaves the old file or none. Memory
    does not grow with the number of rows. ``pandas.read_parquet`` gives the dtypes of the schema back.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, rows = dataset.schema.arrow(), 0
    with _in_one_piece(path) as file, pq.ParquetWriter(file, schema) as writer:
        for batch in chunks(records, _BATCH):
            writer.write_table(pa.Table.from_pandas(dataset.frame(batch), schema=schema, preserve_index=False))
            rows += len(batch)
    return rows


def write_frame(frame: pd.DataFrame, path: Any) -> None:
    """Write a frame that is there to a Parquet file, likewise.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    with _in_one_piece(path) as file:
        frame.to_parquet(file, index=False)


def write_text(text: str, path: Any) -> None:
    """Write a text as UTF-8, likewise.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    with _in_one_piece(path) as file:
        file.write(text.encode())


def interval(since: object, until: object) -> tuple[datetime | None, datetime | None]:
    """Return an interval given by moments as people and templates write them.

    :param since: first moment: datetime, date or ISO 8601 text, taken as UTC where it names no time zone; None, and what a
        template renders nothing to (``""``, ``"None"``): from the beginning
    :param until: first moment that is too late, likewise; nothing: until now
    :raises ValueError: one is no moment, or they are the wrong way round
    """
    begin, end = _moment(since, "since"), _moment(until, "until")
    if begin and end and end < begin:
        raise ValueError(f"until ({until}) lies before since ({since})")
    return begin, end


def repository_names(client: BitbucketClient, repositories: Sequence[str] | str | None) -> list[str]:
    """Return full names, each once: rows of a repository that is named twice would be there twice.

    :param repositories: slugs or ``workspace/slug``, or one of them; None: all of the workspace, at one request for every 100
    """
    if repositories is None:
        repositories = [row["slug"] for row in client.repositories.list(fields="values.slug")]
    elif isinstance(repositories, str):
        repositories = [repositories]
    return list(dict.fromkeys(map(client.full_name, repositories)))


@contextmanager
def _in_one_piece(path: Any) -> Iterator[Any]:
    """Open a file beside its place, and move it there when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{path.name}.{uuid4().hex}.part"
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _moment(value: object, name: str) -> datetime | None:
    text = str(value).strip()
    if value is None or text in ("", "None"):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} is {value!r}; expected an ISO 8601 moment such as '2026-11-02T00:00:00+00:00'") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
