"""Datasets as DataFrames or records: ``hook.datasets``, see :class:`Datasets`.

A dataset is chosen by its name, a ``Literal``, and not by a method of its own. The parameters that datasets share are then
declared and documented once, in :class:`DatasetOptions`; completion and type checkers know them in every method that takes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from airflow_provider_bitbucket.parameters import Timestamp, flag, interval, names, required_number
from airflow_provider_bitbucket.parameters.choices import DatasetName, OnRepositoryError

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.datasets.spec import DatasetSpec
    from airflow_provider_bitbucket.extraction.extraction import Extraction
    from airflow_provider_bitbucket.extraction.progress import Estimate

__all__ = ["DatasetName", "DatasetOptions", "Datasets"]

#: Parameters of a dataset's ``read`` that are not options of its users.
_INTERNAL = ("client", "repository", "workspace", "since", "until", "changed_since", "on_incomplete")
#: Options of every dataset.
_SHARED = ("on_repository_error", "workers")


class DatasetOptions(TypedDict, total=False):
    """Keyword parameters with which a dataset is read; each may be left out.

    :param repositories: slugs, or one; None: all repositories of the workspace
    :param since: inclusive start of the interval, ISO 8601 text or datetime (UTC unless it has a time zone); None: from the
        beginning. docs/datasets.md names the date of a row that counts, such as ``updated_on`` of a pull request
    :param until: exclusive end of the interval; None: until now
    :param on_repository_error: ``fail``: a repository that cannot be read is an error, and nothing is returned for the others;
        ``skip``: it is left out, unless none can be read or the credentials are refused
    :param workers: number of repositories that are read at the same time; default: 10
    :param bots: of ``pull_requests``, ``pull_request_commits``, ``commits`` and ``reviews``: nicknames, display names, account
        ids or uuids of bots that use an ordinary user account
    :param with_activity: of ``pull_requests``: read the timelines too (first review, approvals, drafts); one request for every
        50 entries
    :param with_commits: of ``pull_requests``: read the commits too (coding time); one request for every pull request
    :param with_diffstat: of ``pull_requests``: read the diffstats too (size); two requests for every pull request
    """

    repositories: Sequence[str] | str | None
    since: Timestamp
    until: Timestamp
    on_repository_error: OnRepositoryError
    workers: int
    bots: Collection[str] | str
    with_activity: bool
    with_commits: bool
    with_diffstat: bool


class Datasets:
    """Read datasets with the credentials of a hook; docs/datasets.md has their columns and what they cost.

    :param get_client: returns the client; called when a dataset is first read
    :param context: the hook, to which Airflow's lineage attributes what is read
    """

    def __init__(self, get_client: Callable[[], BitbucketClient], context: object) -> None:
        self._get_client = get_client
        self._context = context

    def get_df(self, dataset: DatasetName, **options: Unpack[DatasetOptions]) -> pd.DataFrame:
        """Return a dataset as a DataFrame, which has the same columns and dtypes whatever the number of its rows.

        ::

            BitbucketHook().datasets.get_df("pull_requests", since="2026-08-01", with_activity=True)

        :param dataset: its name
        :param options: see :class:`DatasetOptions`
        :raises ValueError: unknown dataset, an option of another dataset, or a malformed timestamp; no request was made
        :raises BitbucketError: a repository cannot be read
        """
        return self.read(dataset, **options).frame()

    def read(self, dataset: DatasetName, **options: Unpack[DatasetOptions]) -> Extraction:
        """Return a dataset that is ready to be read, once: iterate over its records, take its ``frame()``, or write it with
        ``hook.files.write_dataset`` or ``hook.tables.write_dataset``.

        Its ``results`` then have rows, requests, seconds, incomplete records and error of each repository, and ``incomplete`` the
        records of which something could not be read (docs/extraction.md). Costs no request here, except one for every 100
        repositories of the workspace if none are named.

        :param dataset: its name
        :param options: see :class:`DatasetOptions`
        :raises ValueError: as for :meth:`get_df`
        :raises BitbucketError: the repositories of the workspace cannot be listed
        """
        from airflow_provider_bitbucket.extraction.dataset import Dataset
        from airflow_provider_bitbucket.hooks.lineage import report_input

        chosen = Dataset(dataset)
        selected, since, until, supported = _read_options(chosen.spec, options)
        client = self._get_client()
        extraction = chosen.read(client, selected, since, until, **supported)
        report_input(self._context, client.web_url, dataset, extraction.since)
        return extraction

    def estimate(self, dataset: DatasetName, **options: Unpack[DatasetOptions]) -> list[Estimate]:
        """Return about how many requests each repository takes. Costs one request for each repository, the first of :meth:`read`.

        :param dataset: its name
        :param options: see :class:`DatasetOptions`
        :return: ``repository``, ``rows`` (of the list that is read) and ``requests`` of each; None if Bitbucket does not report
            the size of the list
        :raises ValueError: as for :meth:`get_df`
        :raises BitbucketError: a repository cannot be read
        """
        from airflow_provider_bitbucket.extraction.dataset import Dataset

        chosen = Dataset(dataset)
        selected, since, until, supported = _read_options(chosen.spec, options)
        for name in _SHARED:
            supported.pop(name, None)
        return chosen.estimate(self._get_client(), selected, since, until, **supported)

    def empty_df(self, dataset: DatasetName) -> pd.DataFrame:
        """Return the DataFrame of a dataset without rows; costs no request."""
        from airflow_provider_bitbucket.extraction.dataset import Dataset

        return Dataset(dataset).schema.empty()

    def full_name(self, repository: str) -> str:
        """Return ``workspace/repository`` for a repository of the client's workspace, or one that names its own."""
        return self._get_client().full_name(repository)

    def repository_names(self, repositories: Sequence[str] | str | None = None) -> list[str]:
        """Return ``workspace/slug`` of repositories, each once.

        :param repositories: slugs, or one; None: all repositories of the workspace, at one request for every 100
        """
        from airflow_provider_bitbucket.extraction.dataset import repository_names

        selected = names("repositories", repositories)
        return repository_names(self._get_client(), selected)


def _read_options(
    spec: DatasetSpec, options: Mapping[str, Any]
) -> tuple[Sequence[str] | None, datetime | None, datetime | None, dict[str, Any]]:
    """Return repositories, start and end of the interval, and the options of a dataset."""
    values = _normalized(options)
    selected = names("repositories", values.pop("repositories", None))
    since, until = interval(values.pop("since", None), values.pop("until", None))
    return selected, since, until, _supported(spec, values)


def _normalized(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with names of bots as a sequence, the number of workers as an int and flags as bools."""
    values = dict(options)
    if "bots" in values:
        values["bots"] = names("bots", values["bots"]) or ()
    if "workers" in values:
        values["workers"] = required_number("workers", values["workers"])
    return {name: flag(name, value) if name.startswith("with_") else value for name, value in values.items()}


def _supported(spec: DatasetSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a dataset has; others are left out if they are off.

    :raises ValueError: an option of another dataset is on; names it and those that this dataset has
    """
    reads = [read for read in (spec.read, spec.read_workspace) if read]
    own = {name for read in reads for name in inspect.signature(read).parameters if name not in _INTERNAL}
    others = set(DatasetOptions.__annotations__) - own.union(_SHARED)
    known = own.union(_SHARED, (name for name in others if not options.get(name)))
    if wrong := [name for name in options if name not in known]:
        raise ValueError(
            f"Dataset {spec.name!r} has no option {', '.join(wrong)}; it has {', '.join(sorted(own)) or 'no options of its own'}"
        )
    return {name: value for name, value in options.items() if name not in others}
