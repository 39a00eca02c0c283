"""Render templates of the DAG file, and never values that another task returned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.providers.common.compat.sdk import XComArg


class LiteralMappingMixin:
    """Base of operators and sensors: what arrives by ``expand_kwargs(task.output)`` is taken literally.

    Airflow itself does that for ``expand`` and for parameters that are an ``XComArg``, but renders values that another task
    returned for ``expand_kwargs`` (seen in Airflow 3.3.2, ``ListOfDictsExpandInput.resolve``): a title with a template could then
    read connections.
    """

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        fields = list(template_fields)
        if parent is self:
            literals = {id(getattr(self, field)) for field in fields if _is_mapped(self, field, context)}
            seen_oids = seen_oids | literals  # Airflow does not render objects with these ids
        super()._do_render_template_fields(parent, fields, context, jinja_env, seen_oids)  # type: ignore[misc]  # of Airflow's base


def _is_mapped(task: Any, field: str, context: Any) -> bool:
    """Return whether the value of a field was returned by another task for ``expand_kwargs``."""
    mapped: Any = context["dag"].get_task(task.task_id) if "dag" in context else None
    rows = getattr(getattr(mapped, "expand_input", None), "value", None)
    if isinstance(rows, list | tuple):
        rows = rows[context["ti"].map_index]
    # Of partial(), the values are passed on as they are; XComArg.map() and zip() are XComArgs too.
    return isinstance(rows, XComArg) and getattr(task, field) is not mapped.partial_kwargs.get(field)
