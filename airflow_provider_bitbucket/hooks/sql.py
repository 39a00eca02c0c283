"""Datasets into SQL databases, for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowOptionalProviderFeatureException, BaseHook

from airflow_provider_bitbucket.hooks.frames import BitbucketFramesMixin
from airflow_provider_bitbucket.parameters import one_of, required_name

if TYPE_CHECKING:
    import sqlalchemy as sa

    from airflow_provider_bitbucket.extraction.extraction import Extraction
    from airflow_provider_bitbucket.hooks.frames import Moment

#: What makes way for a row: the row with the same key, or all rows of the same repository.
MODES = ("upsert", "replace")


class BitbucketSqlMixin(BitbucketFramesMixin):
    """``write_sql``: read a dataset and write it to a table."""

    def write_sql(
        self,
        dataset: str,
        table: str,
        sql_conn_id: str,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        mode: str = "upsert",
        **options: Any,
    ) -> dict[str, Any]:
        """Write a dataset to a table of a database that an Airflow connection leads to; docs/sql.md has the guarantees, and where
        they were tested.

        The table is created if it is missing. Everything is read before anything is written, and written in one transaction.

        :param dataset: one of :data:`DATASETS`
        :param table: ``table`` or ``schema.table``
        :param sql_conn_id: connection of a database, such as PostgreSQL, MySQL or SQLite
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param since: inclusive start of the interval, ISO 8601 text or datetime; None: from the beginning
        :param until: exclusive end of the interval; None: until now
        :param mode: ``upsert``: a row takes the place of the one with the same key; ``replace``: what is read takes the place
            of all rows of the same repositories, so that it allows of no ``since`` and ``until``
        :param options: further parameters of :meth:`read` and of the dataset
        :return: ``table``, ``dataset``, ``rows``, ``repositories`` (what each cost), ``skipped`` and ``incomplete``
        :raises ValueError: unknown mode or dataset, malformed timestamp, or a table that this provider did not create
        :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
        :raises BitbucketError: a repository cannot be read; nothing was written
        """
        return self.save_sql(self.read(dataset, repositories, since, until, **options), table, sql_conn_id, mode)

    def save_sql(self, reading: Extraction, table: str, sql_conn_id: str, mode: str = "upsert") -> dict[str, Any]:
        """Read and write to a table, as :meth:`write_sql` does."""
        from airflow_provider_bitbucket.hooks.lineage import report_table
        from airflow_provider_bitbucket.sinks.sql import SqlTable, write_sql

        check_mode(mode)
        table, sql_conn_id = required_name("table", table), required_name("sql_conn_id", sql_conn_id)
        if mode == "replace" and (reading.until or any(reading.since.values())):
            raise ValueError(
                "mode 'replace' keeps only what is read of a repository, and since and until leave out the rest of it"
            )
        engine = sql_engine(sql_conn_id)
        target = SqlTable(reading.dataset.schema, engine, table)
        target.prepare()  # before the requests are spent
        rows = write_sql(reading, target, replace=mode == "replace")
        report_table(self, engine, table)
        return {
            "table": table,
            "dataset": reading.dataset.name,
            "rows": rows,
            **reading.summary(),
        }

    def has_sql_table(self, table: str, sql_conn_id: str) -> bool:
        """Say whether there is a table of that name.

        :param table: ``table`` or ``schema.table``
        :raises ValueError: the name is none
        """
        import sqlalchemy as sa

        from airflow_provider_bitbucket.sinks.sql import name_of_table

        name, schema = name_of_table(required_name("table", table))
        with sql_engine(required_name("sql_conn_id", sql_conn_id)).connect() as connection:
            return sa.inspect(connection).has_table(name, schema)


def check_mode(mode: str) -> None:
    """Find out whether there is such a mode.

    :raises ValueError: there is not
    """
    one_of("mode", mode, MODES)


def sql_engine(conn_id: str) -> sa.Engine:
    """Return the SQLAlchemy engine of an Airflow connection, through the hook of its type.

    :raises AirflowOptionalProviderFeatureException: a package is missing; names it
    :raises ValueError: the connection does not lead to a SQL database
    """
    connection = BaseHook.get_connection(conn_id)
    kind = f"Connection {conn_id!r} is of type {connection.conn_type!r}"
    try:
        from sqlalchemy.pool import NullPool

        hook = connection.get_hook()  # type: ignore[no-untyped-call]  # untyped in its library
    except (ImportError, AirflowException) as error:  # a type that no provider registered, or could be imported for
        raise AirflowOptionalProviderFeatureException(
            f"{kind}, for which a package is missing ({error}). Install 'airflow-provider-bitbucket[sql]' and Airflow's provider "
            "of that database, such as apache-airflow-providers-postgres."
        ) from error
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise ValueError(f"{kind}, which is no SQL database")
    # Hours can lie between two transactions, longer than servers keep a connection open. And what rows hold (titles, comments)
    # belongs in no error message.
    engine: sa.Engine = hook.get_sqlalchemy_engine(engine_kwargs={"poolclass": NullPool, "hide_parameters": True})
    return engine
