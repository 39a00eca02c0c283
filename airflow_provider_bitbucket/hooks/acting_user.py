"""In whose name a task acts, where a connection has credentials for each user."""

from __future__ import annotations

import re
from typing import Any

from airflow.providers.common.compat.sdk import get_current_context

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def given(run_as: Any) -> str | None:
    """Return a user name as it was given; None for nothing, and for a template that found nothing."""
    name = "" if run_as is None else str(run_as).strip()
    return None if name in ("", "None") else name


def who_triggered() -> str | None:
    """Return who started the DAG run that this code runs in; None for a scheduled run, and outside of a task."""
    try:
        dag_run = get_current_context()["dag_run"]
    except (RuntimeError, KeyError):
        return None
    return given(getattr(dag_run, "triggering_user_name", None))


def as_key(user: str) -> str:
    """Return a user's name as it stands in the id of a connection and the name of a variable.

    Different names can come out alike; what is found under a key says itself whose it is, and that is compared.

    :raises BitbucketConfigurationError: the name has characters with which it could reach something else
    """
    key = user.lower().replace("@", "-at-")
    if not _NAME.fullmatch(key) or len(key) > 100:
        raise BitbucketConfigurationError(
            f"User {user!r} can not have credentials for Bitbucket: a name has to consist of letters and digits, with a single "
            "'.', '-', '_' or '@' between them."
        )
    return key
