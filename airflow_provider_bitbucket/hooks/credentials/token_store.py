"""Keep the tokens of OAuth logins in Airflow Variables, encrypted with its Fernet key and masked by their name."""

from __future__ import annotations

import sys
from typing import Any

_DESCRIPTION = "Kept by airflow-provider-bitbucket; do not edit."


class VariableStore:
    """Airflow Variables as a :class:`~airflow_provider_bitbucket.client.TokenStore`, in tasks, triggers, CLI and servers."""

    def read(self, key: str) -> str | None:
        """Return the value, None if it is missing (or, for some backends, if Airflow cannot be reached)."""
        variables, missing = _variables()
        try:
            text = variables.get(key)
        except missing:
            return None
        return None if text is None else str(text)

    def write(self, key: str, text: str) -> None:
        """Write a value, replacing the earlier one."""
        _variables()[0].set(key, text, _DESCRIPTION)

    def delete(self, key: str) -> None:
        """Delete a value; a missing one is not an error."""
        variables, _ = _variables()
        variables.delete(key)


def _variables() -> tuple[Any, type[Exception]]:
    """Return the Variables of the Task SDK or of the database, and the exception that they raise for a missing one."""
    if getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None) is not None:
        from airflow.providers.common.compat.sdk import Variable
        from airflow.sdk.exceptions import AirflowRuntimeError

        return Variable, AirflowRuntimeError
    from airflow.models import Variable as StoredVariable

    return StoredVariable, KeyError
