"""Tables that tasks write: ``hook.tables``, see :class:`Tables`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from airflow.providers.common.compat.sdk import AirflowException, AirflowOptionalProviderFeatureException, BaseHook

from airflow_provider_bitbucket.parameters import interval, names, one_of, required_name
from airflow_provider_bitbucket.parameters.choices import MetricName, WriteMode

if TYPE_CHECKING:
    import sqlalchemy as sa

    from airflow_provider_bitbucket.extraction.extraction import Extraction
    from airflow_provider_bitbucket.hooks.datasets import Datasets
    from airflow_provider_bitbucket.hooks.metrics import MetricOptions, Metrics

__all__ = ["Tables"]


class Tables:
    """Write datasets to a SQL database that Airflow has a connection for; docs/sql.md has the guarantees and what was tested.

    :param context: the hook, to which Airflow's lineage attributes what is written
    :param datasets: reads the datasets
    :param metrics: computes the metrics
    """

    def __init__(self, context: object, datasets: Datasets, metrics: Metrics) -> None:
        self._context = context
        self._datasets = datasets
        self._metrics = metrics

    def write_dataset(self, extraction: Extraction, table: str, sql_conn_id: str, mode: WriteMode = "upsert") -> dict[str, Any]:
        """Read a dataset and write it to a table, which is created if it is missing.

        Everything is read before anything is written, and written in one transaction::

            hook.tables.write_dataset(hook.datasets.read("pull_requests"), "analytics.pull_requests", "warehouse")

        :param extraction: what ``hook.datasets.read`` returned
        :param table: ``table`` or ``schema.table``
        :param sql_conn_id: connection of a database, such as PostgreSQL, MySQL or SQLite
        :param mode: ``upsert``: a row replaces the one with the same key; ``replace``: the rows read replace all rows of the same
            repositories, so the dataset must be read without ``since`` and ``until``
        :return: ``table``, ``dataset``, ``rows``, ``repositories`` (the cost of each), ``skipped`` and ``incomplete`` (records of
            which something could not be read, 100 at most)
        :raises ValueError: unknown mode, ``replace`` of a part, or a table that this provider did not create; nothing was read
        :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
        :raises BitbucketError: a repository cannot be read; nothing was written
        """
        from airflow_provider_bitbucket.hooks.lineage import report_table
        from airflow_provider_bitbucket.sinks.sql import SqlTable, write_sql

        one_of("mode", mode, WriteMode)
        table, sql_conn_id = required_name("table", table), required_name("sql_conn_id", sql_conn_id)
        if mode == "replace" and (extraction.until or any(extraction.since.values())):
            raise ValueError("mode 'replace' keeps only the rows that are read, and since and until leave out the others")
        engine = sql_engine(sql_conn_id)
        target = SqlTable(extraction.dataset.schema, engine, table)
        target.prepare()  # before requests are spent
        rows = write_sql(extraction, target, replace=mode == "replace")
        report_table(self._context, engine, table)
        return {"table": table, "dataset": extraction.dataset.name, "rows": rows, **extraction.summary()}

    def write_metric(
        self,
        metric: MetricName,
        table: str,
        sql_conn_id: str,
        mode: WriteMode = "upsert",
        **options: Unpack[MetricOptions],
    ) -> dict[str, Any]:
        """Compute a metric and write it to a table, which is created if it is missing.

        The key is the columns to group by, or those that identify an item. If these include ``week`` or ``month``, the interval
        is extended to whole weeks and months, so that no row of a part replaces the row of the whole::

            hook.tables.write_metric("dora", "analytics.dora", "warehouse", since="2026-10-01")

        :param metric: its name
        :param table: ``table`` or ``schema.table``
        :param sql_conn_id: connection of a database, such as PostgreSQL, MySQL or SQLite
        :param mode: ``upsert``: a row replaces the one with the same key; ``replace``: the rows replace all rows of the same
            repositories, for items that can vanish, such as stale pull requests; without ``since`` and ``until``
        :param options: see :class:`~airflow_provider_bitbucket.hooks.metrics.MetricOptions`
        :return: ``table``, ``metric``, ``rows``, ``skipped`` and ``incomplete`` (see ``Metrics.get_df``)
        :raises ValueError: unknown metric, mode, option or column; no column to group by; ``replace`` of a part, or of rows
            without a repository; a table that this provider did not create; nothing was read
        :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
        :raises BitbucketError: a repository cannot be read; nothing was written
        """
        from airflow_provider_bitbucket.hooks.lineage import report_table
        from airflow_provider_bitbucket.metrics.changes import rows_of
        from airflow_provider_bitbucket.metrics.tables import metric_schema, whole_periods
        from airflow_provider_bitbucket.sinks.sql import SqlTable

        one_of("mode", mode, WriteMode)
        schema = metric_schema(one_of("metric", metric, MetricName), names("group_by", options.get("group_by")))
        period = interval(options.get("since"), options.get("until"))
        if mode == "replace" and (any(period) or schema.key[0] != "repository"):
            raise ValueError("mode 'replace' needs rows of repositories, and no since and until, which leave out the others")
        options["since"], options["until"] = whole_periods(schema.key, *period)
        engine = sql_engine(required_name("sql_conn_id", sql_conn_id))
        target = SqlTable(schema, engine, required_name("table", table))
        target.prepare()  # before requests are spent
        if mode == "replace":
            options["repositories"] = self._datasets.repository_names(options.get("repositories"))
        frame = self._metrics.get_df(metric, **options)
        skipped = {one["repository"] for one in frame.attrs["skipped"]}
        replaced = [name for name in options["repositories"] or () if name not in skipped] if mode == "replace" else []
        rows = target.write([rows_of(frame)], replaced)
        report_table(self._context, engine, table)
        return {"table": table, "metric": metric, "rows": rows, **{key: frame.attrs[key] for key in ("skipped", "incomplete")}}

    def exists(self, table: str, sql_conn_id: str) -> bool:
        """Return whether a table exists.

        :param table: ``table`` or ``schema.table``
        :param sql_conn_id: connection of a database
        :raises ValueError: the name is malformed
        """
        import sqlalchemy as sa

        from airflow_provider_bitbucket.sinks.sql import name_of_table

        name, schema = name_of_table(required_name("table", table))
        with sql_engine(required_name("sql_conn_id", sql_conn_id)).connect() as connection:
            return sa.inspect(connection).has_table(name, schema)


def sql_engine(conn_id: str) -> sa.Engine:
    """Return the SQLAlchemy engine of an Airflow connection, from the hook of its type.

    :raises AirflowOptionalProviderFeatureException: a package is missing; names it
    :raises ValueError: the connection is not of a SQL database
    """
    connection = BaseHook.get_connection(conn_id)
    kind = f"Connection {conn_id!r} is of type {connection.conn_type!r}"
    try:
        from sqlalchemy.pool import NullPool

        hook = connection.get_hook()  # type: ignore[no-untyped-call]  # untyped in its library
    except (ImportError, AirflowException) as error:  # no installed provider has the type, or its package is missing
        raise AirflowOptionalProviderFeatureException(
            f"{kind}, for which a package is missing ({error}). Install 'airflow-provider-bitbucket[sql]' and Airflow's provider "
            "of that database, such as apache-airflow-providers-postgres."
        ) from error
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise ValueError(f"{kind}, which is not a SQL database")
    # Hours can pass between two transactions, longer than servers keep a connection open. Parameters stay out of error messages,
    # because rows have titles and comments.
    engine: sa.Engine = hook.get_sqlalchemy_engine(engine_kwargs={"poolclass": NullPool, "hide_parameters": True})
    return engine
