"""Read incidents from records, a frame, or a file of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.metrics.incidents import incidents_frame

if TYPE_CHECKING:
    import pandas as pd

#: Kinds of files that incidents are read from.
SUFFIXES = (".parquet", ".csv", ".json")


def read_incidents(incidents: Any, full_name: Callable[[str], str]) -> pd.DataFrame:
    """Return incidents as a frame, checked; no request is made to Bitbucket.

    :param incidents: records or a frame (see :func:`~airflow_provider_bitbucket.metrics.incidents.incidents_frame`), or any path
        of Airflow's ``ObjectStoragePath`` to a Parquet, CSV or JSON file of them
    :param full_name: makes ``workspace/repository`` of a repository
    :raises ValueError: they are malformed; names what is expected
    """
    return incidents_frame(_read(incidents) if isinstance(incidents, str) else incidents, full_name)


def _read(path: str) -> Any:
    import pandas as pd
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    suffix = next((one for one in SUFFIXES if path.lower().endswith(one)), None)
    if suffix is None:
        raise ValueError(
            f"incidents is {path[:100]!r}; expected the path of a file in {', '.join(SUFFIXES)}, or records or a DataFrame. "
            "Pass the return value of another task as incidents=that_task.output, not as a template"
        )
    source: Any = ObjectStoragePath(path)  # its methods have no types
    with source.open("rb") as file:
        if suffix == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype=str) if suffix == ".csv" else json.load(file)
