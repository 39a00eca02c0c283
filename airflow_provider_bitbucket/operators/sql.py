"""Write Bitbucket data to a table of a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.parameters import Templated, normalize, one_of, required_name
from airflow_provider_bitbucket.parameters.choices import WriteMode

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.operators.watermarks import Watermarks


class BitbucketToSqlOperator(BitbucketExtractOperator):
    """Read a dataset of one, several or all repositories and write it to a table of a SQL database Airflow can connect to.

    Rows are read as by :class:`~airflow_provider_bitbucket.operators.extract.BitbucketExtractOperator`. They are written in one
    transaction after the last was read: a task that fails or is killed leaves the table as it was, and one that runs again
    changes nothing but what changed in Bitbucket. The table is created if it is missing; columns that a later version of
    this package has are added to it. Needs ``pip install 'airflow-provider-bitbucket[sql]'`` and the provider of the database.
    docs/sql.md says more.

    :param sql_conn_id: connection of the database: PostgreSQL, MySQL, SQLite, or another that SQLAlchemy speaks (templated)
    :param table: ``table`` or ``schema.table`` (templated)
    :param mode: ``upsert``: a row takes the place of the one with the same key. ``replace``: what is read takes the place of all
        rows of the same repositories, for what can vanish, such as branches; it allows of no ``since`` and ``until``
    :param incremental: read what changed since it was last written to this table, in place of ``since``, which counts for
        repositories that were never read, and for all when the table is missing. Needs ``outlets``, whose first asset keeps how
        far it came, and ``mode="upsert"``; before Airflow 3.3, which keeps nothing, the data interval is read
    :param dataset: as there, as are ``repositories``, ``since``, ``until``, ``with_activity``, ``with_commits``,
        ``with_diffstat``, ``bots``, ``on_repository_error``, ``bitbucket_conn_id``, ``workspace`` and ``run_as``
    :return: ``table``, ``dataset``, ``rows``, ``repositories`` (a list of ``repository``, ``rows``, ``requests``, ``seconds``,
        ``incomplete``, ``error``), ``skipped`` (names) and ``incomplete`` (records of which something could not be read)
    :raises ValueError: no such dataset, mode or moment; an option of another dataset; the table is there for something else
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
        if mode == "replace":  # what is there now, and not what happened in the data interval
            kwargs = {"since": None, "until": None, **kwargs}
        super().__init__(**kwargs)
        if mode == "replace" and self.incremental:
            raise ValueError("incremental reads only what changed, and mode 'replace' keeps nothing but what is read")
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.mode: WriteMode = one_of("mode", mode, WriteMode)

    def execute(self, context: Context) -> dict[str, Any]:
        """Read and write."""
        normalize(self, self.parameter_kinds)
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
        """Another table, or one of that name in another database, has not what this one has."""
        return f"{self.dataset} in {self.table} of {self.sql_conn_id}"

    def _watermarks(self, context: Context) -> Watermarks | None:
        watermarks = super()._watermarks(context)
        if watermarks and not self.hook.tables.exists(self.table, self.sql_conn_id):
            watermarks.start_anew()
        return watermarks
