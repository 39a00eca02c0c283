"""Read JSON files at any path that Airflow reaches."""

from __future__ import annotations

import json
from typing import Any


def read_json(parameter: str, value: Any) -> Any:
    """Return the content of a JSON file; a value that is no text as it is.

    :param parameter: name for errors
    :param value: any path of Airflow's ``ObjectStoragePath``, or the content itself
    :raises ValueError: there is no file, or it is not JSON
    """
    if not isinstance(value, str):
        return value
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    source: Any = ObjectStoragePath(value)  # its methods have no types
    try:
        with source.open("rb") as file:
            return json.load(file)
    except FileNotFoundError:
        problem = "there is no such file"
    except (ValueError, RecursionError) as error:
        problem = f"the file is not JSON ({error})"
    raise ValueError(
        f"{parameter} is {value[:200]!r}; {problem}. Expected the path of a JSON file; pass the return value of another task as "
        f"{parameter}=that_task.output, not as a template"
    )
