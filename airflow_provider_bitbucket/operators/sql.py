"""Write Bitbucket data and metrics to a table of a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.assets import attach_to_asset_events
from airflow_provider_bitbucket.hooks.metric_reading import check_metric
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.parameters import Templated, flag, names, one_of, records, required_name
from airflow_provider_bitbucket.parameters.choices import MetricName, WriteMode

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.operators.watermarks import Watermarks

__all__ = ["BitbucketToSqlOperator"]


class BitbucketToSqlOperator(BitbucketExtractOperator):
    """Write a dataset or a metric of one, several or all repositories to a table of a SQL database that Airflow connects to.

    Rows are read as by :class:`~airflow_provider_bitbucket.operators.extract.BitbucketExtractOperator` and written in one
    transaction after the last was read. A task that fails or is killed leaves the table unchanged; one that runs again
    writes only changes in Bitbucket. The table is created if it is missing; columns that are new in a later version of this
    package are added to it. Needs ``pip install 'airflow-provider-bitbucket[sql]'`` and the provider of the database.
    docs/sql.md has the details.

    :param sql_conn_id: connection of the database: PostgreSQL, MySQL, SQLite, or another that SQLAlchemy supports (templated)
    :param table: ``table`` or ``schema.table`` (templated)
    :param mode: ``upsert``: a row replaces the one with the same key. ``replace``: the rows read replace all rows of the same
        repositories, for objects that can be deleted, such as branches; ``since`` and ``until`` are then not allowed
    :param incremental: read the changes since the last write to this table; ``since`` only applies to repositories that were
        never read, and to all if the table is missing. Needs ``outlets``, whose first asset stores the watermarks, and
        ``mode="upsert"``. Before Airflow 3.3, which cannot store them, the data interval is read
    :param dataset: as for ``BitbucketExtractOperator``, as are ``repositories``, ``since``, ``until``, ``with_activity``,
        ``with_commits``, ``with_diffstat``, ``bots``, ``on_repository_error``, ``bitbucket_conn_id``, ``workspace`` and
        ``run_as``
    :param metric: write a metric in place of a dataset, such as ``dora``. ``since`` and ``until`` select events as for
        :class:`~airflow_provider_bitbucket.operators.metrics.BitbucketMetricsOperator`, by default those of the data interval.
        The key is the columns to group by; if ``week`` or ``month`` is among them, the interval is extended to whole ones
    :param group_by: of ``metric``, as are ``incidents``, ``with_deployments`` and ``with_steps``; as for
        ``BitbucketMetricsOperator`` (``group_by`` and ``incidents`` templated)
    :return: ``table``, ``dataset``, ``rows``, ``repositories`` (a list of ``repository``, ``rows``, ``requests``, ``seconds``,
        ``incomplete``, ``error``), ``skipped`` (names) and ``incomplete`` (at most 100 incomplete records); with ``metric``:
        ``table``, ``metric``, ``rows``, ``skipped`` (``repository``, ``dataset``, ``error``) and ``incomplete``
    :raises ValueError: unknown dataset or mode; malformed timestamp; an option of another dataset; a table for something else
    :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
    :raises BitbucketError: a repository cannot be read
    """

    template_fields: Sequence[str] = (
        *(name for name in BitbucketExtractOperator.template_fields if name != "output_path"),
        *("sql_conn_id", "table", "group_by", "incidents"),
    )

    sql_conn_id = Templated()
    table = Templated()
    incidents = Templated()
    parameter_kinds = {
        **{name: kind for name, kind in BitbucketExtractOperator.parameter_kinds.items() if name != "output_path"},
        "sql_conn_id": required_name,
        "table": required_name,
        "group_by": names,
        "incidents": records,
    }

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        mode: WriteMode = "upsert",
        metric: MetricName | None = None,
        group_by: Sequence[str] | str | None = None,
        incidents: Any = None,
        with_deployments: bool = False,
        with_steps: bool = False,
        **kwargs: Any,
    ) -> None:
        if "output_path" in kwargs:
            raise ValueError("output_path belongs to BitbucketExtractOperator; this one writes to a table")
        if mode == "replace":  # the current state, not the changes in the data interval
            kwargs = {"since": None, "until": None, **kwargs}
        super().__init__(**kwargs)
        if mode == "replace" and self.incremental:
            raise ValueError("incremental reads only changes, and mode 'replace' deletes all rows that are not read")
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.mode: WriteMode = one_of("mode", mode, WriteMode)
        self.metric = metric
        self.group_by = group_by
        self.incidents = incidents
        self.with_deployments = flag("with_deployments", with_deployments)
        self.with_steps = flag("with_steps", with_steps)
        self._check_metric(is_dataset_set="dataset" in kwargs)

    def _check_metric(self, *, is_dataset_set: bool) -> None:
        """Check the metric and its options, or that there are none.

        :raises ValueError: an option of a metric without one, or one that the metric does not have
        """
        options = {**self._metric_options(), "incidents": self.incidents is not None}
        if self.metric is not None:
            if is_dataset_set or self.incremental:
                raise ValueError("metric cannot be combined with dataset or incremental")
            check_metric(self.metric, self.group_by, {**options, "with_activity": self.with_activity})
        elif wrong := [name for name in ("group_by", "incidents") if getattr(self, name) is not None]:
            raise ValueError(f"{', '.join(wrong)} need metric")
        elif self.with_deployments or self.with_steps:
            raise ValueError("with_deployments and with_steps need metric")

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the dataset or compute the metric, and write it to the table."""
        if self.metric is not None:
            return self._write_metric(context, self.metric)
        watermarks = self._watermarks(context)
        reading = self._reading(context, watermarks)
        written = self.hook.tables.write_dataset(reading, self.table, self.sql_conn_id, self.mode)
        self.log.info("Wrote %s rows of %s to table %s.", f"{written['rows']:,}", self.dataset, self.table)
        self._published(context, reading, watermarks, written["rows"])
        return written

    def _write_metric(self, context: Context, metric: MetricName) -> dict[str, Any]:
        since, until = self._bounds(context, None)
        written = self.hook.tables.write_metric(
            metric,
            self.table,
            self.sql_conn_id,
            self.mode,
            repositories=self.repositories,
            since=since,
            until=until,
            group_by=self.group_by,
            bots=self.bots,
            incidents=self.incidents,
            on_repository_error=self.on_repository_error,
            **self._metric_options(),
        )
        self.log.info("Wrote %s rows of %s to table %s.", f"{written['rows']:,}", metric, self.table)
        attach_to_asset_events(self, context, metric=metric, rows=written["rows"])
        return written

    def _metric_options(self) -> dict[str, Any]:
        flags = ("with_commits", "with_diffstat", "with_deployments", "with_steps")
        return {name: True for name in flags if getattr(self, name)}

    @property
    def _writes(self) -> bool:
        return True

    @property
    def _watermarks_name(self) -> str:
        """A name for this table in this database: other tables have other rows, so other watermarks."""
        return f"{self.dataset} in {self.table} of {self.sql_conn_id}"

    def _watermarks(self, context: Context) -> Watermarks | None:
        watermarks = super()._watermarks(context)
        if watermarks and not self.hook.tables.exists(self.table, self.sql_conn_id):
            watermarks.reset()
        return watermarks
