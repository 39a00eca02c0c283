"""Extract Bitbucket data as a DataFrame or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

if TYPE_CHECKING:
    import pandas as pd
    from airflow.providers.common.compat.sdk import Context


class BitbucketExtractOperator(BaseOperator):
    """Read a dataset of one, several or all repositories, as a DataFrame or into a Parquet file.

    Rows whose moment (``updated_on`` of a pull request, ``date`` of a timeline entry) lies in ``[since, until)`` are read.
    A repository that can not be read fails the task, named; then nothing is published.

    :param dataset: ``pull_requests``, ``pull_request_activity``, ``pull_request_commits`` or ``diffstats`` (columns:
        docs/datasets.md)
    :param repositories: slugs; None: all repositories of the workspace (templated)
    :param since: first moment, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning
    :param until: first moment that is too late (templated); None: until now
    :param with_activity: of ``pull_requests``: read the timelines too; one request for every 50 entries
    :param with_commits: of ``pull_requests``: read the commits too; one request for every pull request
    :param with_diffstat: of ``pull_requests``: read the diffstat too; two requests for every pull request
    :param bots: of ``pull_requests``: nicknames, names or ids of machines that Bitbucket takes for people
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); None: the
        DataFrame is the task's XCom, which suits some ten thousand rows
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to read in; default: the connection's (templated)
    :return: the DataFrame, or ``{"path": ..., "rows": ...}``
    """

    template_fields = ("dataset", "repositories", "since", "until", "bots", "output_path", "bitbucket_conn_id", "workspace")
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        dataset: str,
        repositories: Sequence[str] | str | None = None,
        since: Any = None,
        until: Any = None,
        with_activity: bool = False,
        with_commits: bool = False,
        with_diffstat: bool = False,
        bots: Collection[str] = (),
        output_path: str | None = None,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.repositories = repositories
        self.since = since
        self.until = until
        self.with_activity = with_activity
        self.with_commits = with_commits
        self.with_diffstat = with_diffstat
        self.bots = bots
        self.output_path = output_path
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace)

    def execute(self, context: Context) -> pd.DataFrame | dict[str, Any]:
        """Read and publish."""
        repositories = [self.repositories] if isinstance(self.repositories, str) else self.repositories
        arguments = (repositories, self.since, self.until)
        if self.output_path:
            rows = self.hook.write_parquet(self.dataset, self.output_path, *arguments, **self._options())
            self.log.info("Wrote %d rows of %s to %s.", rows, self.dataset, self.output_path)
            return {"path": self.output_path, "rows": rows}
        self._refuse_what_xcom_can_not_carry()
        frame = self.hook.get_df(self.dataset, *arguments, **self._options())
        self.log.info("Read %d rows of %s.", len(frame), self.dataset)
        return frame

    def _options(self) -> dict[str, Any]:
        """Return the options of the dataset that were asked for; those of another dataset are refused by name."""
        asked = {
            "with_activity": self.with_activity,
            "with_commits": self.with_commits,
            "with_diffstat": self.with_diffstat,
            "bots": tuple(self.bots),
        }
        given = {name: value for name, value in asked.items() if value}
        if given and self.dataset != "pull_requests":
            raise ValueError(f"{', '.join(given)} belong to dataset 'pull_requests', not to {self.dataset!r}")
        return given

    def _refuse_what_xcom_can_not_carry(self) -> None:
        """Find out before a request is spent whether this Airflow can pass a DataFrame on, by passing an empty one."""
        if not self.do_xcom_push:
            return
        import pandas as pd

        try:
            _serializer()(pd.DataFrame({"a": []}))
        except (TypeError, ImportError, AttributeError, RuntimeError) as error:
            raise AirflowException(
                f"This Airflow can not pass a DataFrame of pandas {pd.__version__} on by XCom ({error}). Give output_path, "
                "install pandas<3 and pyarrow, or upgrade to Airflow 3.3.1 or newer."
            ) from error


def _serializer() -> Callable[[Any], Any]:
    """Return what this Airflow makes an XCom of a value with; it moved in Airflow 3.2."""
    new = find_spec("airflow.sdk.serde") is not None
    serialize: Callable[[Any], Any] = import_module("airflow.sdk.serde" if new else "airflow.serialization.serde").serialize
    return serialize
