"""Mask the values of secured pipeline variables in Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_bitbucket.parameters import is_template, literal, text


def masked(rendered: Any) -> Any:
    """Return rendered variables with the values of secured ones as text, because Airflow masks nothing else, and masked.

    Other malformed variables are returned unchanged; ``execute`` refuses them.

    :raises ValueError: the value of a secured variable is neither text nor an int
    """
    try:
        listed = literal("variables", rendered)
    except ValueError:  # text whose secrets cannot be found
        mask_secret(rendered)
        return rendered
    if not isinstance(listed, list | tuple):
        return listed
    taken = []
    for variable in listed:
        if _is_secured(variable):
            variable = {
                **variable,
                "value": text(f"The value of variable {variable.get('key')!r}", variable["value"], secret=True),
            }
            mask_secret(variable["value"])
        taken.append(variable)
    return taken


def mask_literals(variables: Any) -> None:
    """Mask the secrets that the DAG file holds."""
    for variable in variables if isinstance(variables, list | tuple) else ():
        if _is_secured(variable) and isinstance(secret := variable["value"], str | int) and not is_template(str(secret)):
            mask_secret(str(secret))


def _is_secured(variable: Any) -> bool:
    return isinstance(variable, Mapping) and bool(variable.get("secured")) and "value" in variable
