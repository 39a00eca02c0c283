"""Datasets as DataFrames, for :class:`BitbucketHook`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient


class BitbucketFramesMixin:
    """The ``get_..._df`` methods. A frame has the same columns and dtypes whatever the number of its rows."""

    def get_conn(self) -> BitbucketClient:
        """Return the client."""
        raise TypeError("BitbucketFramesMixin is a part of BitbucketHook and does nothing by itself")

    def get_df(
        self,
        dataset: str,
        repositories: Sequence[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Return a dataset by name.

        :param dataset: ``pull_requests``, ``pull_request_activity``, ``pull_request_commits`` or ``diffstats``
        :param repositories: slugs; None: all repositories of the workspace
        :param since: first moment, ISO text or datetime (without time zone: UTC); None: from the beginning
        :param until: first moment that is too late; None: until now
        :param options: those of the dataset
        :raises ValueError: no such dataset, or no moment
        :raises BitbucketError: Bitbucket refused; the repository is named in its notes
        """
        from airflow_provider_bitbucket.datasets.extract import Dataset, as_moment

        chosen = Dataset(dataset)
        begin, end = as_moment(since, "since"), as_moment(until, "until")
        return chosen.frame(chosen.records(self.get_conn(), repositories, begin, end, **options))

    def write_parquet(
        self,
        dataset: str,
        path: str,
        repositories: Sequence[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        **options: Any,
    ) -> int:
        """Write a dataset to a Parquet file and return its number of rows; parameters as for :meth:`get_df`.

        :param path: any path of Airflow's ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet``; the file appears
            when it is whole
        """
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_bitbucket.datasets.extract import Dataset, as_moment, write_parquet

        chosen = Dataset(dataset)
        begin, end = as_moment(since, "since"), as_moment(until, "until")
        records = chosen.records(self.get_conn(), repositories, begin, end, **options)
        return write_parquet(chosen, records, ObjectStoragePath(path))

    def get_pull_requests_df(
        self,
        repositories: Sequence[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        with_activity: bool = False,
        with_commits: bool = False,
        with_diffstat: bool = False,
        bots: Collection[str] = (),
    ) -> pd.DataFrame:
        """Return the pull requests updated in ``[since, until)``; one request for every 50.

        :param with_activity: read the timelines too: first review, approvals, drafts; one request for every 50 entries
        :param with_commits: read the commits too (coding time); one request for every pull request
        :param with_diffstat: read the diffstat too (size); two requests for every pull request
        :param bots: nicknames, names or ids of machines that Bitbucket takes for people
        """
        return self.get_df(
            "pull_requests",
            repositories,
            since,
            until,
            with_activity=with_activity,
            with_commits=with_commits,
            with_diffstat=with_diffstat,
            bots=bots,
        )

    def get_pull_request_activity_df(
        self,
        repositories: Sequence[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> pd.DataFrame:
        """Return the timeline entries dated in ``[since, until)``; one request for every 50."""
        return self.get_df("pull_request_activity", repositories, since, until)
