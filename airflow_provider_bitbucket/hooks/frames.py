"""Datasets as DataFrames, for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import DATASETS, ONLY_WHOLE, TooManyRowsError
from airflow_provider_bitbucket.datasets.intervals import interval
from airflow_provider_bitbucket.parameters import flag, names, required_location, required_number

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.extraction.extraction import Extraction

    Moment = datetime | str | None

__all__ = ["DATASETS", "ONLY_WHOLE", "BitbucketFramesMixin", "TooManyRowsError", "interval"]


class BitbucketFramesMixin:
    """The ``get_..._df`` methods. A frame has the same columns and dtypes whatever the number of its rows.

    Parameters that they share:

    - ``repositories``: slugs, or one; None: all repositories of the workspace
    - ``since``: inclusive start, ISO 8601 text or datetime (UTC unless it has a time zone); None: from the beginning
    - ``until``: exclusive end of the interval; None: until now

    They raise ``ValueError`` for a malformed timestamp, and ``BitbucketError`` when a repository cannot be read; then no frame
    is returned for the other repositories either. docs/datasets.md has the columns.
    """

    if TYPE_CHECKING:

        def get_conn(self) -> BitbucketClient: ...

    def get_pull_requests_df(
        self,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        with_activity: bool = False,
        with_commits: bool = False,
        with_diffstat: bool = False,
        bots: Collection[str] | str = (),
    ) -> pd.DataFrame:
        """Return the pull requests updated in ``[since, until)``; one request for every 50.

        :param with_activity: read the timelines too: first review, approvals, drafts; one request for every 50 entries
        :param with_commits: read the commits too (coding time); one request for every pull request
        :param with_diffstat: read the diffstats too (size); two requests for every pull request
        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
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
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the timeline entries dated in ``[since, until)``; one request for every 50 from now back to ``since``."""
        return self.get_df("pull_request_activity", repositories, since, until)

    def get_pull_request_commits_df(
        self,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        bots: Collection[str] | str = (),
    ) -> pd.DataFrame:
        """Return the commits of the pull requests updated in ``[since, until)``; one request for each pull request.

        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
        """
        return self.get_df("pull_request_commits", repositories, since, until, bots=bots)

    def get_diffstats_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the files changed by the pull requests updated in ``[since, until)``; two requests for each."""
        return self.get_df("diffstats", repositories, since, until)

    def get_commits_df(
        self,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        bots: Collection[str] | str = (),
    ) -> pd.DataFrame:
        """Return the commits of all branches dated in ``[since, until)``; one request for every 100 back to ``since``.

        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
        """
        return self.get_df("commits", repositories, since, until, bots=bots)

    def get_branches_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the branches whose newest commit is dated in ``[since, until)``; one request for every 100 branches."""
        return self.get_df("branches", repositories, since, until)

    def get_repositories_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the repositories updated in ``[since, until)``; one request for every 100, or for each one named."""
        return self.get_df("repositories", repositories, since, until)

    def get_members_df(self) -> pd.DataFrame:
        """Return the members of the workspace; one request for every 100."""
        return self.get_df("members")

    def get_environments_df(self, repositories: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Return the deployment environments; one request for each repository."""
        return self.get_df("environments", repositories)

    def get_deployments_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the deployments that changed in ``[since, until)``; one request for every 100 that there ever were, and one."""
        return self.get_df("deployments", repositories, since, until)

    def get_reviews_df(
        self,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        bots: Collection[str] | str = (),
    ) -> pd.DataFrame:
        """Return each reviewer of the pull requests updated in ``[since, until)``; costs their list and their timelines.

        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
        """
        return self.get_df("reviews", repositories, since, until, bots=bots)

    def get_comments_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the comments written in ``[since, until)``; one request for every 50 timeline entries back to ``since``."""
        return self.get_df("comments", repositories, since, until)

    def get_pipelines_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the pipelines started in ``[since, until)``; one request for every 100 from now back to ``since``."""
        return self.get_df("pipelines", repositories, since, until)

    def get_pipeline_steps_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the steps of the pipelines started in ``[since, until)``; one request for each pipeline on top."""
        return self.get_df("pipeline_steps", repositories, since, until)

    def get_test_reports_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the test reports of the pipelines started in ``[since, until)``; one request for each step that ran on top."""
        return self.get_df("test_reports", repositories, since, until)

    def get_build_statuses_df(
        self, repositories: Sequence[str] | str | None = None, since: Moment = None, until: Moment = None
    ) -> pd.DataFrame:
        """Return the build statuses of the pull requests updated in ``[since, until)``; one request for each of them."""
        return self.get_df("build_statuses", repositories, since, until)

    def get_df(
        self,
        dataset: str,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Return a dataset by name.

        :param dataset: one of :data:`DATASETS`
        :param options: further parameters of :meth:`read` and of the dataset, as in the methods above
        """
        return self.read(dataset, repositories, since, until, **options).frame()

    def write_parquet(
        self,
        dataset: str,
        path: str,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        *,
        partitioned: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        """Write a dataset to Parquet; other parameters as for :meth:`get_df`.

        :param path: any path of Airflow's ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet``; what is written appears
            there when it is whole
        :param partitioned: write a folder of files by repository and month in place of one file
        :return: ``path``, ``dataset``, ``rows``, ``columns`` (their names), ``repositories`` (what each cost), ``skipped`` and
            ``incomplete`` (records of which something could not be read, 100 at most)
        """
        self.check_output(path, partition_dataset=dataset if partitioned else None)
        return self.save(self.read(dataset, repositories, since, until, **options), path, partitioned=partitioned)

    def read(
        self,
        dataset: str,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        **options: Any,
    ) -> Extraction:
        """Return a dataset about to be read: iterate over its records, take its ``frame()`` or :meth:`save` it, once.

        Its ``results`` then have rows, requests, seconds, incomplete records and error of each repository, and ``incomplete``
        what could not be read of which record (docs/extraction.md).

        :param options: ``on_repository_error`` (``fail``, or ``skip``: leave out repositories that can not be read),
            ``workers`` (how many are read at the same time), and further parameters of the dataset
        """
        from airflow_provider_bitbucket.extraction.dataset import Dataset
        from airflow_provider_bitbucket.hooks.lineage import report_input

        chosen, (begin, end) = Dataset(dataset), interval(since, until)
        selected, taken = names("repositories", repositories), _taken(options)
        client = self.get_conn()
        reading = chosen.read(client, selected, begin, end, **taken)
        report_input(self, client.web_url, dataset, reading.since)
        return reading

    def check_output(
        self,
        path: str,
        *,
        output_format: str | None = "Parquet",
        partition_dataset: str | None = None,
        may_replace: bool = True,
    ) -> ObjectStoragePath:
        """Check that a path may be written, without a request to Bitbucket, and return it.

        :param path: any path of Airflow's ``ObjectStoragePath``
        :param output_format: ``Parquet`` or ``HTML``; an ending of another format is refused; None: any ending
        :param partition_dataset: the dataset of which a folder of files is written; None: one file is written
        :param may_replace: whether the file, or the files of an earlier run, may be replaced
        :raises ValueError: it names a folder, or a folder with anything that no earlier run has written; there is no file system
            for it
        """
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_bitbucket.extraction.dataset import Dataset
        from airflow_provider_bitbucket.sinks import outputs

        path = required_location("path", path)
        outputs.check_path(path, output_format)
        try:
            place = ObjectStoragePath(path)
            place.fs  # noqa: B018 - found, or made, by its URL and connection
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"Output path {str(path)!r} has no file system in this Airflow: {error}. Install Airflow's provider for it, "
                "such as apache-airflow-providers-amazon for s3://, with the packages that it needs"
            ) from error
        if partition_dataset:
            outputs.check_partitions(Dataset(partition_dataset))
            outputs.check_folder(place, partition_dataset, may_replace=may_replace)
        else:
            outputs.check_file(place, may_replace=may_replace)
        return place

    def save(self, reading: Extraction, path: str, *, partitioned: bool = False) -> dict[str, Any]:
        """Read and write to Parquet, as :meth:`write_parquet` does."""
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_parquet

        place = self.check_output(path, partition_dataset=reading.dataset.name if partitioned else None)
        rows = write_parquet(reading.dataset, reading, place, partitioned=partitioned)
        report_file(self, place)
        return {
            "path": path,
            "dataset": reading.dataset.name,
            "rows": rows,
            "columns": reading.dataset.schema.names,
            **reading.summary(),
        }

    def write_frame(self, frame: pd.DataFrame, path: str) -> None:
        """Write a frame to a Parquet file, whose place is taken when it is whole.

        :param path: any path of Airflow's ``ObjectStoragePath``, such as ``s3://bucket/dora.parquet``
        """
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_frame

        place = self.check_output(path)
        write_frame(frame, place)
        report_file(self, place)

    def write_text(self, text: str, path: str) -> None:
        """Write a text to a file, whose place is taken when it is whole.

        :param path: any path of Airflow's ``ObjectStoragePath``, such as ``s3://bucket/report.html``
        """
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_text

        place = self.check_output(path, output_format=None)
        write_text(text, place)
        report_file(self, place)

    def repository_names(self, repositories: Sequence[str] | str | None = None) -> list[str]:
        """Return ``workspace/slug`` of repositories, each once.

        :param repositories: slugs, or one; None: all of the workspace, at one request for every 100
        """
        from airflow_provider_bitbucket.extraction.dataset import repository_names

        selected = names("repositories", repositories)
        return repository_names(self.get_conn(), selected)

    def empty_df(self, dataset: str) -> pd.DataFrame:
        """Return the frame of a dataset without rows, without asking Bitbucket."""
        from airflow_provider_bitbucket.extraction.dataset import Dataset

        return Dataset(dataset).schema.empty()


def _taken(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a dataset by what is meant: names of bots, a number of workers, and flags."""
    taken = dict(options)
    if "bots" in taken:
        taken["bots"] = names("bots", taken["bots"]) or ()
    if "workers" in taken:
        taken["workers"] = required_number("workers", taken["workers"])
    return {name: flag(name, value) if name.startswith("with_") else value for name, value in taken.items()}
