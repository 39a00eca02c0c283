"""Report to Airflow's lineage which data of which repositories a task read, and where it was written.

The hook lineage collector serves tasks that call the hook as well as operators, and costs nothing without a lineage plugin such
as the OpenLineage provider's. The provider info registers the functions here that handle ``bitbucket`` URIs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.providers.common.compat.sdk import Asset, get_hook_lineage_collector

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

log = logging.getLogger(__name__)


def report_input(hook: Any, web_url: str, dataset: str, names: Iterable[str]) -> None:
    """Report the data that is read.

    :param hook: the hook that reads it
    :param web_url: address of the web pages; its host distinguishes Bitbucket from an emulator
    :param dataset: name of the dataset
    :param names: the repositories (or workspaces) that it is read from
    """
    for name in names:
        _report(get_hook_lineage_collector().add_input_asset, hook, f"bitbucket://{urlsplit(web_url).netloc}/{name}/{dataset}")


def report_file(hook: Any, path: Any) -> None:
    """Report a file, or folder of files, that was written.

    :param path: an ``ObjectStoragePath``; the text of a local one has no scheme
    """
    uri = str(path)
    _report(get_hook_lineage_collector().add_output_asset, hook, uri if "://" in uri else f"file://{uri}")


def report_table(hook: Any, engine: sa.Engine, table: str) -> None:
    """Report a table that was written."""
    _report(get_hook_lineage_collector().add_output_asset, hook, table_uri(engine, table))


def table_uri(engine: sa.Engine, table: str) -> str:
    """Return the URI of a table as Airflow's database providers write it: server, database, schema if any, table.

    :param engine: engine of the database; it knows the default schema after its first connection
    :param table: ``table`` or ``schema.table``
    """
    url = engine.url
    schema, _, name = table.rpartition(".")
    schema = schema or engine.dialect.default_schema_name or ""
    database = (url.database or "").strip("/")  # a path in SQLite
    parts = [database, schema if schema != database else "", name]  # in MySQL a schema is a database
    server = (url.host or "") + (f":{url.port}" if url.port else "")
    return f"{url.get_backend_name()}://{server}/{'/'.join(filter(None, parts))}"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI of Bitbucket data, ``bitbucket://bitbucket.org/workspace/repository/dataset``, if it is well-formed.

    :raises ValueError: it is malformed
    """
    if not uri.netloc or not uri.path.strip("/"):
        raise ValueError(f"{uri.geturl()} is not a URI of Bitbucket data; expected bitbucket://bitbucket.org/workspace/...")
    return uri


def create_asset(*, workspace: str, repository: str, dataset: str, host: str = "bitbucket.org", extra: Any = None) -> Asset:
    """Return the asset of a dataset of a repository."""
    return Asset(uri=f"bitbucket://{host}/{workspace}/{repository}/{dataset}", extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Return the OpenLineage dataset of an asset."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    uri = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"bitbucket://{uri.netloc}", name=uri.path.strip("/"))


def _report(add: Any, hook: Any, uri: str) -> None:
    try:
        add(context=hook, uri=uri)
    except Exception:  # an error in a lineage plugin must not fail the task
        log.debug("Could not report lineage of %s", uri, exc_info=True)
