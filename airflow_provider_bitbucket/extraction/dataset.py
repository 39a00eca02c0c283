"""Read a dataset of one, several or all repositories of a workspace."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.catalog import dataset_spec
from airflow_provider_bitbucket.datasets.people import Bots
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.extraction.extraction import WORKERS, Extraction
from airflow_provider_bitbucket.extraction.progress import Estimate, Progress
from airflow_provider_bitbucket.parameters import interval

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

log = logging.getLogger(__name__)


class Dataset:
    """A dataset by name.

    :param name: one of :data:`~airflow_provider_bitbucket.datasets.DATASETS`
    :raises ValueError: the name is unknown
    """

    def __init__(self, name: str) -> None:
        self.spec = dataset_spec(name)
        self._on_incomplete: OnIncomplete = log_incomplete

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.spec.name

    @property
    def schema(self) -> Schema:
        """The schema of the dataset."""
        return self.spec.schema

    def reporting_to(self, on_incomplete: OnIncomplete) -> Dataset:
        """Return a copy of the dataset that reports incomplete records to a function and not to the log."""
        other = copy.copy(self)
        other._on_incomplete = on_incomplete
        return other

    def frame(self, records: Iterable[Any]) -> pd.DataFrame:
        """Return records as a frame; :mod:`~airflow_provider_bitbucket.datasets.records` has the rule for malformed ones."""
        return self.spec.to_frame(records, self._on_incomplete)

    def records(
        self,
        client: BitbucketClient,
        repositories: Sequence[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Yield the records of repositories in their order; see :meth:`read`.

        :param options: those of :meth:`read` and of the dataset
        :raises BitbucketError: a repository cannot be read. The log and a note of the error name it; publish none of the rows
        """
        yield from self.read(client, repositories, since, until, **options)

    def read(
        self,
        client: BitbucketClient,
        repositories: Sequence[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        workers: int = WORKERS,
        on_repository_error: str = "fail",
        **options: Any,
    ) -> Extraction:
        """Return the reading of repositories: iterate over it for their records, in order.

        :param repositories: slugs or ``workspace/slug``, or one of them; None: all of the workspace, at one more request
            for every 100 unless Bitbucket lists the dataset by workspace
        :param since: start of the interval; None: from the beginning
        :param until: end of the interval, exclusive; None: until now
        :param workers: number of repositories read at the same time
        :param on_repository_error: ``fail`` or ``skip``, if one cannot be read
        :param options: those of the dataset's ``read``
        :raises ValueError: ``since`` or ``until`` is not a timestamp, such as NaT
        :raises BitbucketError: the repositories of the workspace cannot be listed
        """
        since, until = interval(since, until)
        source, names = self._sources(client, repositories)

        bots = Bots.of(options["bots"]) if options.get("bots") else None
        if bots:
            options["bots"] = bots
        progress = Progress(self.name, client.budget, options, is_whole=since is None)

        def read(name: str, begin: datetime | None, on_incomplete: OnIncomplete, **changes: datetime) -> Iterator[Any]:
            records: Iterator[Any] = source(
                progress.observe(client, name), name, since=begin, until=until, on_incomplete=on_incomplete, **options, **changes
            )
            return records

        return Extraction(
            self,
            read,
            names,
            since,
            until,
            client.budget,
            workers=workers,
            on_repository_error=on_repository_error,
            bots=bots,
            progress=progress,
        )

    def estimate(
        self,
        client: BitbucketClient,
        repositories: Sequence[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        **options: Any,
    ) -> list[Estimate]:
        """Return about how many requests an extraction takes. Costs one request for each repository.

        Parameters and errors are those of :meth:`read`.
        """
        source, names = self._sources(client, repositories)
        progress = Progress(self.name, client.budget, options, is_whole=True)
        return [
            progress.estimate(client, name, lambda one, name=name: source(one, name, since=since, until=until, **options))
            for name in names
        ]

    def _sources(
        self, client: BitbucketClient, repositories: Sequence[str] | str | None
    ) -> tuple[Callable[..., Iterator[Any]], list[str]]:
        """Return the function that reads the dataset, and the repositories or workspaces that it is called with."""
        read, read_workspace = self.spec.read, self.spec.read_workspace
        if read_workspace and repositories is None:
            return read_workspace, [client.workspace_slug()]
        names = repository_names(client, repositories)
        if read:
            return read, names
        assert read_workspace  # noqa: S101 - by the contract of DatasetSpec
        return read_workspace, list(dict.fromkeys(name.partition("/")[0] for name in names))


def repository_names(client: BitbucketClient, repositories: Sequence[str] | str | None) -> list[str]:
    """Return the full names of repositories without duplicates, which would repeat their rows.

    Slugs are lower-case, but Bitbucket accepts any case; the first spelling is kept. If there are several names, a uuid among
    them costs a request for its slug.

    :param repositories: slugs or ``workspace/slug``, or one of them; None: all of the workspace, at one request for every 100
    """
    if repositories is None:
        repositories = slugs(client.repositories.list(fields="values.slug"))
    elif isinstance(repositories, str):
        repositories = [repositories]
    names = [client.full_name(name) for name in repositories]
    if len(names) > 1:
        names = [_without_uuid(client, name) for name in names]
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


def slugs(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the slugs of listed repositories; rows without a slug are left out, with a warning."""
    found = [row.get("slug") for row in rows]
    named = [slug for slug in found if isinstance(slug, str) and slug]
    if len(named) < len(found):
        log.warning("Left out %d listed repositories without a slug: malformed response.", len(found) - len(named))
    return named


def _without_uuid(client: BitbucketClient, name: str) -> str:
    """Return a full name with the slug in place of a uuid, so that both spellings of a repository compare equal."""
    if not name.endswith("}"):
        return name
    slug = client.repositories.get(name).get("slug")
    return client.full_name(f"{name.partition('/')[0]}/{slug}") if isinstance(slug, str) and slug else name
