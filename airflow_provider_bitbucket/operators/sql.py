"""Write Bitbucket data to a table of a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.parameters import Templated, one_of, required_name
from airflow_provider_bitbucket.parameters.choices import WriteMode

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.operators.watermarks import Watermarks


class BitbucketToSqlOperator(BitbucketExtractOperator):
    """Read a dataset of one, several or all repositories and write it to a table of a SQL database Airflow can connect to.

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
    :return: ``table``, ``dataset``, ``rows``, ``repositories`` (a list of ``repository``, ``rows``, ``requests``, ``seconds``,
        ``incomplete``, ``error``), ``skipped`` (names) and ``incomplete`` (at most 100 incomplete records)
    :raises ValueError: unknown dataset or mode; malformed timestamp; an option of another dataset; a table for something else
    :raises AirflowOptionalProviderFeatureException: a package for this database is missing; names it
    :raises BitbucketError: a repository cannot be read
    """

    template_fields: Sequence[str] = (
        *(name for name in BitbucketExtractOperator.template_fields if name != "output_path"),
        *("sql_conn_id", "table"),
    )

    sql_conn_id = Templated()
    table = Templated()
    parameter_kinds = {
        **{name: kind for name, kind in BitbucketExtractOperator.parameter_kinds.items() if name != "output_path"},
        "sql_conn_id": required_name,
        "table": required_name,
    }

    def __init__(self, *, sql_conn_id: str, table: str, mode: WriteMode = "upsert", **kwargs: Any) -> None:
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

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the dataset and write it to the table."""
        watermarks = self._watermarks(context)
        reading = self._reading(context, watermarks)
        written = self.hook.tables.write_dataset(reading, self.table, self.sql_conn_id, self.mode)
        self.log.info("Wrote %s rows of %s to table %s.", f"{written['rows']:,}", self.dataset, self.table)
        self._published(context, reading, watermarks, written["rows"])
        return written

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
