"""Write a dataset to a table of a SQL database, through SQLAlchemy, in one transaction."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import chunks
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.sinks.parquet import write_parquet

if TYPE_CHECKING:
    import sqlalchemy as sa

    from airflow_provider_bitbucket.extraction.extraction import Extraction

log = logging.getLogger(__name__)

#: Rows sent to the database at a time, so that memory does not grow with their number.
_BATCH = 2_000
#: Seconds that a task waits for another one to write to SQLite; the default of 5 is too short for 50 tasks.
_SQLITE_WAIT_SECONDS = 300
_MYSQL = ("mysql", "mariadb")
#: Parameters of a statement; Oracle accepts 1,000 in a list.
_MOST_PARAMETERS = 500
#: The column that orders rows of the same key.
_UPDATED_ON = "updated_on"
#: Columns of short texts (uuids, hashes, two slugs of 62 characters). Most databases cannot index or compare the type for texts
#: of any length.
_IDENTIFIER = re.compile("repository|workspace|uuid|hash|(.+_)?(id|commit)")


def write_sql(reading: Extraction, table: SqlTable, *, replace: bool = False) -> int:
    """Write a reading to a table and return the number of rows.

    All rows are first read into a file, so that no transaction is open during requests. Then they are written in one
    transaction: a crash or an unreadable repository leaves the table unchanged.

    :param replace: delete the table's rows of the repositories, or workspaces, that could be read
    """
    import pyarrow.parquet as pq

    with TemporaryDirectory(prefix="bitbucket-sql-") as folder:
        file = Path(folder) / "rows.parquet"
        write_parquet(reading.dataset, reading, file)
        replaced = [one.repository for one in reading.results if replace and not one.error]
        with pq.ParquetFile(file) as parquet:
            return table.write((batch.to_pylist() for batch in parquet.iter_batches(_BATCH)), replaced)


class SqlTable:
    """A table for the rows of a dataset. It has the columns of the schema, and the primary key ``<dataset>_key``.

    The key is a digest of the key columns: some of these can be null, others are too long for an index of some databases.

    :param schema: of the dataset
    :param engine: of the database
    :param name: ``table`` or ``schema.table``; quoted by SQLAlchemy wherever it is used
    :raises ValueError: the name is malformed
    """

    def __init__(self, schema: Schema, engine: sa.Engine, name: str) -> None:
        import sqlalchemy as sa

        self.name = name
        plain, of_schema = name_of_table(name)
        self.key = f"{schema.dataset}_key"
        self._schema = schema
        self._engine = engine
        self._table = sa.Table(
            plain,
            sa.MetaData(),
            sa.Column(self.key, sa.String(32), primary_key=True),
            *(sa.Column(column.name, _type(column)) for column in schema),
            schema=of_schema,
        )

    def prepare(self) -> None:
        """Create the table if it is missing, and add the columns that it lacks.

        :raises ValueError: the table was created for something else
        """
        from sqlalchemy.exc import DBAPIError

        try:
            self._prepare()
        except DBAPIError:  # another task may have done the same at the same time; then nothing is left to do
            self._prepare()

    def write(self, batches: Iterable[Sequence[Mapping[str, Any]]], replaced: Sequence[str] = ()) -> int:
        """Write rows in one transaction and return their number.

        A row replaces the one with the same key.

        :param batches: rows by column names
        :param replaced: repositories, or workspaces, whose rows are deleted first
        :raises ValueError: a row has no key; nothing is written
        """
        written = 0
        with self._transaction() as connection:
            for source in replaced:
                connection.execute(self._table.delete().where(self._is_of(source)))
            for batch in batches:
                # One statement cannot write a row twice: keep the last of rows with the same key.
                rows = {row[self.key]: row for row in map(self._row, batch)}
                # In the order of keys, so that two writers cannot deadlock.
                self._upsert(connection, [rows[key] for key in sorted(rows)])
                written += len(rows)
        return written

    def _prepare(self) -> None:
        import sqlalchemy as sa

        with self._transaction() as connection:
            present = sa.inspect(connection)
            if not present.has_table(self._table.name, self._table.schema):
                self._table.create(connection)
                log.info("Created table %s for dataset %s.", self.name, self._schema.dataset)
                return
            names = {column["name"].lower() for column in present.get_columns(self._table.name, self._table.schema)}
            if self.key not in names:
                raise ValueError(
                    f"Table {self.name} has no column {self.key}, so it was not made for dataset {self._schema.dataset!r}. "
                    "Give another table, which is then created, or rename this one."
                )
            for column in self._table.columns:
                if column.name not in names:
                    self._add(connection, column)

    def _add(self, connection: sa.Connection, column: sa.Column[Any]) -> None:
        """Add a column that is new in this version of the package; it is null in existing rows."""
        import sqlalchemy as sa

        dialect = connection.dialect
        table = dialect.identifier_preparer.format_table(self._table)
        definition = sa.schema.CreateColumn(column).compile(dialect=dialect)
        context = {"name": table, "definition": definition}
        added = sa.DDL("ALTER TABLE %(name)s ADD %(definition)s", context=context)  # type: ignore[no-untyped-call]  # untyped in its library
        connection.execute(added)
        log.info("Added column %s to table %s.", column.name, self.name)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """Begin a transaction in which no other task writes to this table, if the database can ensure that."""
        import sqlalchemy as sa

        with _silent_about_rows(), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {_SQLITE_WAIT_SECONDS * 1000}")
                connection.rollback()
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    digest = hashlib.blake2b(f"bitbucket {self.name}".encode(), digest_size=8).digest()
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(digest, signed=True))))
                yield connection

    def _is_of(self, source: str) -> sa.ColumnElement[bool]:
        """Return the condition that a row belongs to a repository or workspace."""
        column = self._table.c[self._schema.key[0]]
        if column.name == "repository" and "/" not in source:
            return column.startswith(f"{source}/", autoescape=True)
        return column == source

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        source, *others = (row[name] for name in self._schema.key)
        if self._schema.required and (source is None or (others and all(value is None for value in others))):
            raise ValueError(f"A row of {self._schema.dataset} has no key ({', '.join(self._schema.key)}); nothing was written")
        # PostgreSQL rejects NUL in a text, and one in a title must not fail every load.
        values = {name: value.replace("\x00", "") if isinstance(value, str) else value for name, value in row.items()}
        return {self.key: _digest([values[name] for name in self._schema.key]), **values}

    def _upsert(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        table, name = self._table, connection.dialect.name
        names = [column.name for column in table.columns if column.name != self.key]
        if name in ("postgresql", "sqlite"):
            insert = _insert(name)(table)
            changes = {one: insert.excluded[one] for one in names}
            connection.execute(
                insert.on_conflict_do_update(index_elements=[self.key], set_=changes, where=self._is_newer(insert.excluded)), rows
            )
            return
        if not (rows := self._without_lost_timestamps(connection, rows)):
            return
        if name in _MYSQL:
            insert = _insert("mysql")(table)
            connection.execute(insert.on_duplicate_key_update({one: insert.inserted[one] for one in names}), rows)
        else:
            import sqlalchemy as sa

            connection.execute(
                table.delete().where(table.c[self.key] == sa.bindparam("given")), [{"given": row[self.key]} for row in rows]
            )
            connection.execute(table.insert(), rows)

    def _without_lost_timestamps(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows except those without ``updated_on`` that would replace a row that has it."""
        if _UPDATED_ON not in self._table.c:
            return rows
        import sqlalchemy as sa

        key, updated_on = self._table.c[self.key], self._table.c[_UPDATED_ON]
        kept: set[str] = set()
        for some in chunks((row[self.key] for row in rows if row[_UPDATED_ON] is None), _MOST_PARAMETERS):
            kept.update(connection.scalars(sa.select(key).where(key.in_(some), updated_on.is_not(None))))
        return [row for row in rows if row[self.key] not in kept]

    def _is_newer(self, given: Any) -> sa.ColumnElement[bool] | None:
        """Return the condition that a given row is not older than the one in the table. Null is older than any timestamp."""
        if _UPDATED_ON not in self._table.c:
            return None
        import sqlalchemy as sa

        there, new = self._table.c[_UPDATED_ON], given[_UPDATED_ON]
        return sa.or_(there.is_(None), there <= new)


@contextmanager
def _silent_about_rows() -> Iterator[None]:
    """Remove the row that PostgreSQL adds to some errors (``DETAIL: Failing row contains ...``), because it is data."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        cause: Any = error.orig
        if not (message := getattr(getattr(cause, "diag", None), "message_primary", None)):
            raise
        raise type(error)(
            error.statement,
            None,
            type(cause)(message),
            hide_parameters=True,
            connection_invalidated=error.connection_invalidated,
            code=error.code,
        ) from None


def name_of_table(text: str) -> tuple[str, str | None]:
    """Return the name of a table, and of its schema if there is one in ``table`` or ``schema.table``.

    :raises ValueError: the text is malformed
    """
    parts = text.split(".")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise ValueError(f"table is {text!r}; expected 'table' or 'schema.table'")
    return parts[-1], parts[0] if len(parts) == 2 else None


def _insert(dialect: str) -> Any:
    from importlib import import_module

    return import_module(f"sqlalchemy.dialects.{dialect}").insert


def _type(column: Column) -> Any:
    """Return the SQL type of a column; all hold nulls."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql

    types: dict[str, Any] = {
        TIMESTAMP: sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), *_MYSQL),
        TEXT: sa.UnicodeText().with_variant(mysql.LONGTEXT(), *_MYSQL),
        INTEGER: sa.BigInteger(),
        NUMBER: sa.Double(),
        BOOLEAN: sa.Boolean(),
        CATEGORY: sa.Unicode(255),
    }
    if column.dtype == TEXT and _IDENTIFIER.fullmatch(column.name):
        return sa.Unicode(255).with_variant(sa.Text(), "postgresql", "sqlite")
    return types[column.dtype]


def _digest(values: Iterable[Any]) -> str:
    """Return the primary key of a row. It is stored in databases, so its computation must not change."""
    plain = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in values]
    return hashlib.blake2b(json.dumps(plain).encode(), digest_size=16).hexdigest()
