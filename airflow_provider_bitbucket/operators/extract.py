"""Extract Bitbucket data as a DataFrame or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.datasets import ONLY_WHOLE, TooManyRowsError
from airflow_provider_bitbucket.hooks.assets import emit_asset_events
from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator
from airflow_provider_bitbucket.operators.watermarks import Watermarks
from airflow_provider_bitbucket.parameters import flag, normalize, number, one_of, timestamp
from airflow_provider_bitbucket.parameters.choices import DatasetName

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.extraction.extraction import Extraction

#: What ``since`` and ``until`` are when they are not given.
DATA_INTERVAL = "data_interval"
#: Datasets beside ``pull_requests`` that tell people from machines.
_TELLING_MACHINES = ("reviews", "commits", "pull_request_commits")


class BitbucketExtractOperator(BitbucketFrameOperator):
    """Read a dataset of one, several or all repositories, as a DataFrame or into a Parquet file.

    Rows whose moment (``updated_on`` of a pull request, ``created_on`` of a pipeline, ...) lies in ``[since, until)`` are read:
    by default in the run's data interval, so that the same run gives the same rows again. docs/extraction.md has what it costs,
    how to read only what changed, and what happens when something fails.

    :param dataset: ``pull_requests``, ``pull_request_activity``, ``pull_request_commits``, ``diffstats``, ``reviews``,
        ``comments``, ``commits``, ``branches``, ``repositories``, ``members``, ``environments``, ``deployments``,
        ``pipelines``, ``pipeline_steps``, ``test_reports`` or ``build_statuses`` (columns, and which
        moment counts: docs/datasets.md)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning; default:
        the start of the run's data interval, the beginning for a run that has none or one of no length
    :param until: end of the interval, exclusive (templated); None: until now; default: the end of the data interval where that
        is read, else until now
    :param incremental: read rows dated since this task read last, and some before (docs/extraction.md), in place of ``since``,
        which counts for repositories that were never read. Needs ``output_path`` with a template such as ``{{ run_id }}``,
        because a run never replaces what another one wrote, and ``outlets``, whose first asset keeps how far it came; before
        Airflow 3.3, which keeps nothing, the data interval is read. Not for ``branches``, which can only be read whole
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task and nothing is published; ``skip``: it
        is left out, and named in the log and the result
    :param with_activity: of ``pull_requests``: read the timelines too; one request for every 50 entries
    :param with_commits: of ``pull_requests``: read the commits too; one request for every pull request
    :param with_diffstat: of ``pull_requests``: read the diffstats too; two requests for every pull request
    :param bots: of ``pull_requests``, ``reviews``, ``commits`` and ``pull_request_commits``: nicknames, display names, account
        ids or uuids of machines that have an account of a person (templated)
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); a file that is there
        is replaced, a folder never; None: the DataFrame is the task's XCom
    :param partitioned: make ``output_path`` a folder of files by repository and month in place of one file; only files of an
        earlier run are replaced, and a folder with anything else in it is refused
    :param max_xcom_rows: how many rows may go into Airflow's database as XCom; with an XCom backend of your own there is no limit
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to read in; default: the connection's (templated)
    :param run_as: in whose name, where the connection has credentials for each user; default: who triggered the run, else the
        connection's default user (templated)
    :return: the DataFrame; with ``output_path`` its ``path``, ``dataset``, ``rows``, ``columns``, ``repositories`` (a list of
        ``repository``, ``rows``, ``requests``, ``seconds``, ``incomplete``, ``error``), ``skipped`` (names) and ``incomplete``
        (``repository``, ``record``, ``missing`` and ``error`` of records of which something could not be read, 100 at most).
        With a DataFrame these last three are XComs of the same names
    :raises AirflowFailException: a DataFrame that XCom cannot carry
    :raises ValueError: no such dataset or moment; an option of another dataset, or without the other that it needs; an
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
            path = "" if self._writes else "output_path, because it goes on only from what is safely written, and "
            raise ValueError(f"incremental needs {path}outlets=[Asset(...)], whose first asset keeps how far it came")
        if incremental and dataset in ONLY_WHOLE:
            raise ValueError(
                f"{dataset} cannot be incremental: nothing says when one came or changed. Give since=None and until=None "
                "instead, which reads them whole and costs no more"
            )
        if incremental and self._is_constant_path():
            raise ValueError(
                f"incremental with the constant output_path {self.output_path!r} would replace what earlier runs read by the "
                "latest changes alone. Put a template such as {{ run_id }} into it, so that each run has a path of its own"
            )
        if partitioned and not self.output_path:
            raise ValueError("partitioned is about output_path, which is not given")
        self.dataset: DatasetName = one_of("dataset", dataset, DatasetName)
        self.incremental = flag("incremental", incremental)
        self.partitioned = flag("partitioned", partitioned)
        self.max_xcom_rows = number("max_xcom_rows", max_xcom_rows, minimum=0)
        self.with_activity = flag("with_activity", with_activity)
        self.with_commits = flag("with_commits", with_commits)
        self.with_diffstat = flag("with_diffstat", with_diffstat)
        own = ["bots"] if dataset in _TELLING_MACHINES else []
        if dataset != "pull_requests" and (given := [name for name in self._options() if name not in own]):
            raise ValueError(f"{', '.join(given)} belong to dataset 'pull_requests', not to {dataset!r}")

    def execute(self, context: Context) -> pd.DataFrame | dict[str, Any]:
        """Read and publish."""
        normalize(self, self.parameter_kinds)
        if not self.output_path:
            self.refuse_what_xcom_can_not_carry(self.dataset)
            return self._frame(context)
        watermarks = self._watermarks(context)
        path = self._checked_path(watermarks)
        reading = self._reading(context, watermarks)
        written = self.hook.files.write_dataset(reading, path, partitioned=self.partitioned)
        self.log.info("Wrote %s rows of %s to %s.", f"{written['rows']:,}", self.dataset, path)
        self._published(context, reading, watermarks, written["rows"])
        return written

    def _checked_path(self, watermarks: Watermarks | None) -> str:
        """Return the output path. An incremental run replaces only what it wrote itself, before a retry or a clear."""
        path = self.check_output(
            partition_dataset=self.dataset if self.partitioned else None,
            may_replace=watermarks is None or watermarks.output == str(self.output_path),
        )
        if watermarks:
            watermarks.output = path
        return path

    def _is_constant_path(self) -> bool:
        """Whether every run writes to the same path. A mapped task takes its path from elsewhere, as it is."""
        path, is_mapped = self.output_path, getattr(self, "_BaseOperator__from_mapped", False)
        return isinstance(path, str) and not is_mapped and "{{" not in path and "{%" not in path

    @property
    def _writes(self) -> bool:
        """Whether what is read is written somewhere by this task itself."""
        return bool(self.output_path)

    def _published(self, context: Context, reading: Extraction, watermarks: Watermarks | None, rows: int) -> None:
        """Go on from here the next time, and tell who waits for the assets: never before what was read is safe."""
        if watermarks:
            for name, moment in reading.read_until.items():
                watermarks.move(name, moment)
        emit_asset_events(self, context, reading, rows)

    def _frame(self, context: Context) -> pd.DataFrame:
        reading = self._reading(context, None)
        try:
            frame = reading.frame(self.max_xcom_rows if self.goes_into_the_database else None)
        except TooManyRowsError as error:
            raise AirflowFailException(
                f"{error}, which is much for Airflow's database. Give output_path to write Parquet instead, read less (since, "
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
            reading.go_on_from(watermarks.before(reading.since))
        return reading

    def _watermarks(self, context: Context) -> Watermarks | None:
        if not self.incremental:
            return None
        watermarks = Watermarks(context, self.outlets[0], self._watermarks_name)
        if watermarks.kept:
            return watermarks
        self.log.warning("This Airflow keeps no state of assets (3.3 does), so incremental reads the data interval.")
        return None

    @property
    def _watermarks_name(self) -> str:
        return self.dataset

    def _bounds(self, context: Context, watermarks: Watermarks | None) -> tuple[Any, Any]:
        """Return since and until, those of the data interval where nothing else is said."""
        begin, end = context.get("data_interval_start"), context.get("data_interval_end")
        if watermarks or self.since != DATA_INTERVAL or not (begin and end and begin < end):
            begin = end = None
        return begin if self.since == DATA_INTERVAL else self.since, end if self.until == DATA_INTERVAL else self.until

    def _options(self) -> dict[str, Any]:
        """Return the options of the dataset that are given."""
        options = {
            "with_activity": self.with_activity,
            "with_commits": self.with_commits,
            "with_diffstat": self.with_diffstat,
            "bots": self.bots,
        }
        return {name: value for name, value in options.items() if value}


def _bound(parameter: str, value: Any) -> datetime | str | None:
    """Return a timestamp, None if it is not given, or :data:`DATA_INTERVAL`."""
    return DATA_INTERVAL if isinstance(value, str) and value.strip() == DATA_INTERVAL else timestamp(parameter, value)
