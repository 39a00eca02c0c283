"""Attach details to the asset events of a task, for the DAGs that the assets trigger."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_bitbucket.extraction.extraction import Extraction


def attach_to_asset_events(operator: BaseOperator, context: Context, **details: Any) -> None:
    """Attach details to the event of every asset among a task's outlets.

    :param details: JSON values by name
    """
    for outlet in operator.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(details)


def emit_asset_events(operator: BaseOperator, context: Context, extraction: Extraction, rows: int) -> None:
    """Attach ``dataset``, ``rows`` and ``watermark`` to the event of every asset among a task's outlets.

    The watermark is the time up to which the published rows are complete, ISO 8601 in UTC; None when no repository was read.

    :param extraction: the extraction, read to its end
    :param rows: number of rows published
    """
    watermark = min(extraction.read_until.values(), default=None)
    text = watermark.astimezone(UTC).isoformat() if watermark else None
    attach_to_asset_events(operator, context, dataset=extraction.dataset.name, rows=rows, watermark=text)
