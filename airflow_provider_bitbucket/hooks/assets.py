"""What tasks tell those who wait for the assets that they update."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


def tell_outlets(operator: BaseOperator, context: Context, dataset: str, rows: int, until: object, began: datetime) -> None:
    """Attach ``dataset``, ``rows`` and ``watermark`` to the event of every asset among a task's outlets.

    The watermark is the moment up to which what was published is complete, ISO 8601 in UTC.

    :param dataset: what was read
    :param rows: how many rows there were
    :param until: first moment that was not asked for, as it was given; nothing: all was asked for
    :param began: when the reading began; what happened after that may be missing
    """
    from airflow_provider_bitbucket.datasets.extract import interval

    _, end = interval(None, until)
    watermark = min(end, began) if end else began
    for outlet in operator.outlets:
        if isinstance(outlet, Asset):
            extra = context["outlet_events"][outlet].extra
            extra.update({"dataset": dataset, "rows": rows, "watermark": watermark.astimezone(UTC).isoformat()})
