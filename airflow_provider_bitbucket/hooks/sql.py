"""Datasets into SQL databases, for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowOptionalProviderFeatureException, BaseHook

from airflow_provider_bitbucket.hooks.frames import BitbucketFramesMixin

if TYPE_CHECKING:
    import sqlalchemy as sa

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
        """Write a dataset to a table of any database that an Airflow connection leads to; docs/sql.md has the guarantees.

        The table is created if it is missing. Everything is read before anything is written, and written in one transaction.

        :param dataset: one of :data:`DATASETS`
        :param table: ``table`` or ``schema.table``
        :param sql_conn_id: connection of a database, such as PostgreSQL, MySQL or SQLite
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param since: first moment, ISO 8601 text or datetime; None: from the beginning
        :param until: first moment that is too late; None: until now
        :param mode: ``upsert``: a row takes the place of the one with the same key; ``replace``: what is read takes the place
            of all rows of the same repositories, so that it allows of no ``since`` and ``until``
        :param options: further parameters of the dataset, as for :meth:`get_df`
        :return: ``table``, ``dataset``, ``rows``, and ``repositories``: how many rows each has that has some; ``members`` tells
            it of workspaces
        :raises ValueError: no such mode, dataset or moment; the table is there for something else
        :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
        :raises BitbucketError: a repository can not be read; nothing was written
        """
        from airflow_provider_bitbucket.datasets.extract import Dataset, interval
        from airflow_provider_bitbucket.datasets.sql import SqlTable, write_sql

        check_mode(mode)
        chosen, bounds = Dataset(dataset), interval(since, until)
        if mode == "replace" and any(bounds):
            raise ValueError(
                f"mode 'replace' leaves only what is read of a repository, but since ({since}) and until ({until}) leave out the "
                "rest of it; give mode 'upsert', or neither"
            )
        target = SqlTable(chosen.schema, sql_engine(sql_conn_id), table)
        target.prepare()  # before the first request is spent
        _, records = self._records(dataset, repositories, since, until, options)
        replaced = chosen.sources(self.get_conn(), repositories) if mode == "replace" else ()
        counts = write_sql(chosen, records, target, replaced)
        return {"table": table, "dataset": dataset, "rows": sum(counts.values()), "repositories": counts}


def check_mode(mode: str) -> None:
    """Find out whether there is such a mode.

    :raises ValueError: there is not
    """
    if mode not in MODES:
        raise ValueError(f"There is no mode {mode!r}; expected one of {', '.join(MODES)}")


def sql_engine(conn_id: str) -> sa.Engine:
    """Return the SQLAlchemy engine of an Airflow connection, through the hook of its type.

    :raises AirflowOptionalProviderFeatureException: a package is missing; names it
    :raises ValueError: the connection does not lead to a SQL database
    """
    connection = BaseHook.get_connection(conn_id)
    kind = f"Connection {conn_id!r} is of type {connection.conn_type!r}"
    try:
        from sqlalchemy.pool import NullPool

        hook = connection.get_hook()  # type: ignore[no-untyped-call]  # it has no types
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
