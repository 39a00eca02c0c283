"""Check the name of a pipeline that was passed to a task."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.parameters import is_blank, refused, required_name


def named_pipeline(parameter: str, value: Any) -> str:
    """Return the uuid or build number of a pipeline that was passed to a task.

    :raises ValueError: it is blank, as a template that finds no XCom is, or neither text nor an int
    """
    if is_blank(value):
        expected = "the uuid or build number of a pipeline; did the task that starts it push no XCom?"
        raise refused(parameter, value, expected)
    return required_name(parameter, value)
