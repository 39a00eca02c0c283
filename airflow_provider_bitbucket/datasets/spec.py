"""The declaration of a dataset: its columns, how its records are read, and how they become a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.intervals import OVERLAP
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete, records_frame
from airflow_provider_bitbucket.datasets.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A dataset. At least one of ``read`` and ``read_workspace`` is given.

    :param schema: its name, key and columns
    :param description: text of its section in docs/datasets.md
    :param read: called with the client, a repository, ``since``, ``until``, ``on_incomplete`` and the dataset's own options;
        yields records
    :param read_workspace: likewise for all repositories of a workspace; used if no repositories are named
    :param overlap: how much of the previous interval an incremental read repeats; repeated rows replace those of the same key
    :param reads_changes: whether ``read`` takes ``changed_since``, which leaves out records that have not changed since then and
        would cost requests
    """

    schema: Schema
    description: str | None
    read: Callable[..., Iterator[Any]] | None = None
    read_workspace: Callable[..., Iterator[Any]] | None = None
    overlap: timedelta = OVERLAP
    reads_changes: bool = False

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.schema.dataset

    def to_frame(self, records: Iterable[Record], on_incomplete: OnIncomplete = log_incomplete) -> pd.DataFrame:
        """Return records as a frame with the columns of the schema; values that were not read are null.

        :param records: records of ``read`` or ``read_workspace``
        :param on_incomplete: called for each record that is incomplete or dropped
        """
        return records_frame(self.schema, records, on_incomplete)
