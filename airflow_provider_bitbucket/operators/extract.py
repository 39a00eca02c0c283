"""Extract Bitbucket data as a DataFrame or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.datasets import ONLY_WHOLE, TooManyRowsError
from airflow_provider_bitbucket.hooks.assets import emit_asset_events
from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator
from airflow_provider_bitbucket.operators.watermarks import Watermarks
from airflow_provider_bitbucket.parameters import flag, number, one_of, timestamp
from airflow_provider_bitbucket.parameters.choices import DatasetName

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.extraction.extraction import Extraction

__all__ = ["BitbucketExtractOperator"]

#: Default of ``since`` and ``until``.
DATA_INTERVAL = "data_interval"
#: Datasets beside ``pull_requests`` with the option ``bots``.
_WITH_BOTS = ("reviews", "commits", "pull_request_commits")


class BitbucketExtractOperator(BitbucketFrameOperator):
    """Read a dataset of one, several or all repositories, as a DataFrame or into a Parquet file.

    Reads the rows whose date (``updated_on`` of a pull request, ``created_on`` of a pipeline, ...) is in ``[since, until)``, by
    default the run's data interval, so that the same run reads the same rows again. docs/extraction.md describes the cost,
    incremental reading, and errors.

    :param dataset: ``pull_requests``, ``pull_request_activity``, ``pull_request_commits``, ``diffstats``, ``reviews``,
        ``comments``, ``commits``, ``branches``, ``repositories``, ``members``, ``environments``, ``deployments``,
        ``pipelines``, ``pipeline_steps``, ``test_reports`` or ``build_statuses`` (columns and
        dates: docs/datasets.md)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning;
        default: the start of the run's data interval, or the beginning if it is missing or empty
    :param until: end of the interval, exclusive (templated); None: until now; default: the end of the data interval if its
        start is the default of ``since``, else until now
    :param incremental: read the rows dated since the last run of this task, and some before (docs/extraction.md); ``since`` only
        applies to repositories that were never read. Needs ``output_path`` with a template such as ``{{ run_id }}``, because a
        run never replaces the output of another one, and ``outlets``, whose first asset stores the watermarks. Before Airflow
        3.3, which cannot store them, the data interval is read. Not for ``branches``, which have no dates
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task and nothing is published; ``skip``: it
        is left out, and named in the log and the result
    :param with_activity: of ``pull_requests``: read the timelines too, at one request for every 50 entries
    :param with_commits: of ``pull_requests``: read the commits too, at one request for every pull request
    :param with_diffstat: of ``pull_requests``: read the diffstats too, at two requests for every pull request
    :param bots: of ``pull_requests``, ``reviews``, ``commits`` and ``pull_request_commits``: nicknames, display names, account
        ids or uuids of bots that use an ordinary user account (templated)
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); an existing file
        is replaced, a folder never; None: the DataFrame is the task's XCom
    :param partitioned: write a folder of files by repository and month, not one file. Only files of an earlier run are replaced;
        a folder with other content is an error
    :param max_xcom_rows: limit of the rows of a DataFrame in Airflow's database; it does not apply to a custom XCom backend
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to read in; default: the connection's (templated)
    :param run_as: the acting user, if the connection has credentials for each user; default: the user who triggered the run,
        else the connection's default user (templated)
    :return: the DataFrame; with ``output_path`` its ``path``, ``dataset``, ``rows``, ``columns``, ``repositories`` (a list of
        ``repository``, ``rows``, ``requests``, ``seconds``, ``incomplete``, ``error``), ``skipped`` (names) and ``incomplete``
        (``repository``, ``record``, ``missing`` and ``error`` of at most 100 incomplete records).
        With a DataFrame the last three are XComs of the same names
    :raises AirflowFailException: XCom cannot carry the DataFrame
    :raises ValueError: unknown dataset; malformed timestamp; an option of another dataset, or one that needs another option; an
        ``output_path`` that may not be written. No request has been made then
    :raises BitbucketError: a repository cannot be read
    """

    parameter_kinds = {
        **BitbucketFrameOperator.parameter_kinds,
        "since": lambda parameter, value: _bound(parameter, value),
        "until": lambda parameter, value: _bound(parameter, value),
    }

    def __init__(
        self,
        *,
        dataset: DatasetName = "pull_requests",
        since: Any = DATA_INTERVAL,
        until: Any = DATA_INTERVAL,
        incremental: bool = False,
        partitioned: bool = False,
        max_xcom_rows: int = 50_000,
        with_activity: bool = False,
        with_commits: bool = False,
        with_diffstat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(since=since, until=until, **kwargs)
        if incremental and not (self._writes and self.outlets):
            path = "" if self._writes else "output_path, because it resumes only after rows that were written, and "
            raise ValueError(f"incremental needs {path}outlets=[Asset(...)], whose first asset stores the watermarks")
        if incremental and dataset in ONLY_WHOLE:
            raise ValueError(
                f"{dataset} cannot be incremental: Bitbucket reports no date of their creation or change. Set since=None and "
                "until=None instead, which reads all of them at the same cost"
            )
        if incremental and self._is_constant_path():
            raise ValueError(
                f"incremental with the constant output_path {self.output_path!r} would replace the rows of earlier runs by the "
                "latest changes alone. Put a template such as {{ run_id }} into it, so that each run has its own path"
            )
        if partitioned and not self.output_path:
            raise ValueError("partitioned needs output_path")
        self.dataset: DatasetName = one_of("dataset", dataset, DatasetName)
        self.incremental = flag("incremental", incremental)
        self.partitioned = flag("partitioned", partitioned)
        self.max_xcom_rows = number("max_xcom_rows", max_xcom_rows, minimum=0)
        self.with_activity = flag("with_activity", with_activity)
        self.with_commits = flag("with_commits", with_commits)
        self.with_diffstat = flag("with_diffstat", with_diffstat)
        allowed = ["bots"] if dataset in _WITH_BOTS else []
        if dataset != "pull_requests" and (given := [name for name in self._options() if name not in allowed]):
            raise ValueError(f"{', '.join(given)} belong to dataset 'pull_requests', not to {dataset!r}")

    def perform(self, context: Context) -> pd.DataFrame | dict[str, Any]:
        """Read the dataset and publish it."""
        if not self.output_path:
            self.require_xcom_support(self.dataset)
            return self._frame(context)
        watermarks = self._watermarks(context)
        path = self._checked_path(watermarks)
        reading = self._reading(context, watermarks)
        written = self.hook.files.write_dataset(reading, path, partitioned=self.partitioned)
        self.log.info("Wrote %s rows of %s to %s.", f"{written['rows']:,}", self.dataset, path)
        self._published(context, reading, watermarks, written["rows"])
        return written

    def _checked_path(self, watermarks: Watermarks | None) -> str:
        """Return the output path. An incremental run replaces only its own file, after a retry or a clear."""
        path = self.check_output(
            partition_dataset=self.dataset if self.partitioned else None,
            may_replace=watermarks is None or watermarks.output == str(self.output_path),
        )
        if watermarks:
            watermarks.output = path
        return path

    def _is_constant_path(self) -> bool:
        """Whether every run writes to the same path. A mapped task gets its path from another task."""
        path, is_mapped = self.output_path, getattr(self, "_BaseOperator__from_mapped", False)
        return isinstance(path, str) and not is_mapped and "{{" not in path and "{%" not in path

    @property
    def _writes(self) -> bool:
        """Whether the task itself writes the rows."""
        return bool(self.output_path)

    def _published(self, context: Context, reading: Extraction, watermarks: Watermarks | None, rows: int) -> None:
        """Advance the watermarks and emit asset events; call it only after the rows were written."""
        if watermarks:
            for name, date in reading.read_until.items():
                watermarks.advance(name, date)
        emit_asset_events(self, context, reading, rows)

    def _frame(self, context: Context) -> pd.DataFrame:
        reading = self._reading(context, None)
        try:
            frame = reading.frame(self.max_xcom_rows if self.uses_default_xcom else None)
        except TooManyRowsError as error:
            raise AirflowFailException(
                f"{error}, the limit for Airflow's database. Set output_path to write Parquet, read fewer rows (since, "
                "repositories), or raise max_xcom_rows."
            ) from error
        self.log.info("Read %s rows of %s.", f"{len(frame):,}", self.dataset)
        if self.do_xcom_push and (instance := context.get("ti")):
            for key, value in reading.summary().items():
                instance.xcom_push(key=key, value=value)
        self._published(context, reading, None, len(frame))
        return frame

    def _reading(self, context: Context, watermarks: Watermarks | None) -> Extraction:
        since, until = self._bounds(context, watermarks)
        options = {**self._options(), "on_repository_error": self.on_repository_error}
        reading = self.hook.datasets.read(self.dataset, repositories=self.repositories, since=since, until=until, **options)
        if watermarks:
            reading.resume_from(watermarks.before(reading.since))
        return reading

    def _watermarks(self, context: Context) -> Watermarks | None:
        if not self.incremental:
            return None
        watermarks = Watermarks(context, self.outlets[0], self._watermarks_name)
        if watermarks.are_stored:
            return watermarks
        self.log.warning("Assets have no state before Airflow 3.3, so incremental reads the data interval.")
        return None

    @property
    def _watermarks_name(self) -> str:
        return self.dataset

    def _bounds(self, context: Context, watermarks: Watermarks | None) -> tuple[Any, Any]:
        """Return since and until, by default those of the data interval."""
        begin, end = context.get("data_interval_start"), context.get("data_interval_end")
        if watermarks or self.since != DATA_INTERVAL or not (begin and end and begin < end):
            begin = end = None
        return begin if self.since == DATA_INTERVAL else self.since, end if self.until == DATA_INTERVAL else self.until

    def _options(self) -> dict[str, Any]:
        """Return the options of the dataset that are set."""
        options = {
            "with_activity": self.with_activity,
            "with_commits": self.with_commits,
            "with_diffstat": self.with_diffstat,
            "bots": self.bots,
        }
        return {name: value for name, value in options.items() if value}


def _bound(parameter: str, value: Any) -> datetime | str | None:
    """Return a timestamp, None if it is blank, or :data:`DATA_INTERVAL`."""
    return DATA_INTERVAL if isinstance(value, str) and value.strip() == DATA_INTERVAL else timestamp(parameter, value)
