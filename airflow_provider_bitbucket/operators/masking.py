"""Values of secured pipeline variables, masked before Airflow stores the rendered template fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_bitbucket.parameters import is_template, literal, text


def mask_rendered(rendered: Any, *, secured: bool = False) -> Any:
    """Return rendered variables with the values of secured ones as text, because Airflow masks nothing else, and masked.

    Other malformed variables are returned unchanged; the operator refuses them when it runs.

    :param secured: whether variables that do not state it are secured
    :raises ValueError: the value of a secured variable is neither text nor an int
    """
    try:
        found = literal("variables", rendered)
    except ValueError:  # text whose secrets cannot be found
        mask_secret(rendered)
        return rendered
    if isinstance(found, Mapping):
        return {key: _masked(key, value) for key, value in found.items()} if secured else found
    if not isinstance(found, list | tuple):
        return found
    return [{**one, "value": _masked(one.get("key"), one["value"])} if _is_secured(one, secured) else one for one in found]


def mask_literals(variables: Any, *, secured: bool = False) -> None:
    """Mask the secrets that the DAG file holds. Parameters as for :func:`mask_rendered`."""
    for secret in _secrets(variables, secured):
        if isinstance(secret, str | int) and not is_template(str(secret)):
            mask_secret(str(secret))


def _secrets(variables: Any, secured: bool) -> Iterator[Any]:
    if isinstance(variables, Mapping):
        yield from variables.values() if secured else ()
    elif isinstance(variables, list | tuple):
        yield from (one["value"] for one in variables if _is_secured(one, secured))


def _masked(key: Any, value: Any) -> str:
    secret = text(f"The value of variables key {key!r}", value, secret=True)
    mask_secret(secret)
    return secret


def _is_secured(variable: Any, default: bool) -> bool:
    return isinstance(variable, Mapping) and "value" in variable and bool(variable.get("secured", default))
