"""What tasks tell those who wait for the assets that they update."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_bitbucket.extraction.extraction import Extraction


def tell_outlets(operator: BaseOperator, context: Context, reading: Extraction, rows: int) -> None:
    """Attach ``dataset``, ``rows`` and ``watermark`` to the event of every asset among a task's outlets.

    The watermark is the moment up to which what was published is complete, ISO 8601 in UTC; None when no repository was read.

    :param reading: what was read, to its end
    :param rows: how many rows there were
    """
    watermark = min(reading.read_until.values(), default=None)
    told = watermark.astimezone(UTC).isoformat() if watermark else None
    for outlet in operator.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update({"dataset": reading.dataset.name, "rows": rows, "watermark": told})
