"""Extract Bitbucket data as a DataFrame or Parquet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.assets import tell_outlets
from airflow_provider_bitbucket.hooks.frames import DATASETS
from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator

if TYPE_CHECKING:
    import pandas as pd
    from airflow.providers.common.compat.sdk import Context


class BitbucketExtractOperator(BitbucketFrameOperator):
    """Read a dataset of one, several or all repositories, as a DataFrame or into a Parquet file.

    Rows whose moment (``updated_on`` of a pull request, ``created_on`` of a pipeline, ...) lies in ``[since, until)`` are read,
    so that a DAG run reads its data interval with ``since="{{ data_interval_start }}"`` and
    ``until="{{ data_interval_end }}"``. A repository that can not be read fails the task, by name; then nothing is published.

    :param dataset: ``pull_requests``, ``pull_request_activity``, ``pull_request_commits``, ``diffstats``, ``reviews``,
        ``comments``, ``commits``, ``branches``, ``repositories``, ``members``, ``environments``, ``deployments``,
        ``pipelines``, ``pipeline_steps``, ``test_reports`` or ``build_statuses`` (columns, and which
        moment counts: docs/datasets.md)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: first moment, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning
    :param until: first moment that is too late (templated); None: until now
    :param with_activity: of ``pull_requests``: read the timelines too; one request for every 50 entries
    :param with_commits: of ``pull_requests``: read the commits too; one request for every pull request
    :param with_diffstat: of ``pull_requests``: read the diffstats too; two requests for every pull request
    :param bots: of ``pull_requests`` and ``reviews``: nicknames, display names, account ids or uuids of machines that have an
        account of a person (templated)
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); None: the
        DataFrame is the task's XCom, which suits some ten thousand rows
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to read in; default: the connection's (templated)
    :param run_as: in whose name, where the connection has credentials for each user; default: who triggered the run, else the
        connection's default user (templated)
    :return: the DataFrame; with ``output_path`` its ``path``, ``dataset``, ``rows`` and ``columns``
    :raises ValueError: no such dataset or moment; an option of another dataset
    :raises BitbucketError: a repository can not be read
    """

    def __init__(
        self,
        *,
        dataset: str = "pull_requests",
        with_activity: bool = False,
        with_commits: bool = False,
        with_diffstat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if dataset not in DATASETS:
            raise ValueError(f"There is no dataset {dataset!r}; expected one of {', '.join(DATASETS)}")
        self.dataset = dataset
        self.with_activity = with_activity
        self.with_commits = with_commits
        self.with_diffstat = with_diffstat
        if dataset != "pull_requests" and (given := [name for name in self._options() if (dataset, name) != ("reviews", "bots")]):
            raise ValueError(f"{', '.join(given)} belong to dataset 'pull_requests', not to {dataset!r}")

    def execute(self, context: Context) -> pd.DataFrame | dict[str, Any]:
        """Read and publish."""
        options, began = self._options(), datetime.now(UTC)
        if self.output_path:
            written = self.hook.write_parquet(
                self.dataset, self.output_path, self.repositories, self.since, self.until, **options
            )
            self.log.info("Wrote %s rows of %s to %s.", f"{written['rows']:,}", self.dataset, self.output_path)
            tell_outlets(self, context, self.dataset, written["rows"], self.until, began)
            return written
        self.refuse_what_xcom_can_not_carry(self.dataset)
        frame = self.hook.get_df(self.dataset, self.repositories, self.since, self.until, **options)
        self.log.info("Read %s rows of %s.", f"{len(frame):,}", self.dataset)
        tell_outlets(self, context, self.dataset, len(frame), self.until, began)
        return frame

    def _options(self) -> dict[str, Any]:
        """Return the options of the dataset that are given."""
        options = {
            "with_activity": self.with_activity,
            "with_commits": self.with_commits,
            "with_diffstat": self.with_diffstat,
            "bots": self.bots,
        }
        return {name: value for name, value in options.items() if value}
