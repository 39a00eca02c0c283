"""Where the tokens of OAuth logins are kept: Airflow Variables, encrypted with its Fernet key and masked by their name."""

from __future__ import annotations

import sys
from typing import Any

_DESCRIPTION = "Kept by airflow-provider-bitbucket; do not edit."


class VariableStore:
    """Airflow Variables as a store of tokens; works in tasks, triggers, the command line and Airflow's servers."""

    def read(self, key: str) -> str | None:
        """Return the text, None when there is none (or, for some backends, when Airflow can not be asked)."""
        variables, missing = _variables()
        try:
            text = variables.get(key)
        except missing:
            return None
        return None if text is None else str(text)

    def write(self, key: str, text: str) -> None:
        """Keep a text in place of the one before."""
        _variables()[0].set(key, text, _DESCRIPTION)

    def delete(self, key: str) -> None:
        """Forget a text, if there is one."""
        variables, _ = _variables()
        variables.delete(key)


def _variables() -> tuple[Any, type[Exception]]:
    """Return Airflow's Variables and what they raise for one that is missing: of the Task SDK or of the database itself."""
    if getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None) is not None:
        from airflow.providers.common.compat.sdk import Variable
        from airflow.sdk.exceptions import AirflowRuntimeError

        return Variable, AirflowRuntimeError
    from airflow.models import Variable as StoredVariable

    return StoredVariable, KeyError
