"""In whose name a task acts, where a connection has credentials for each user."""

from __future__ import annotations

import re
from typing import Any

from airflow.providers.common.compat.sdk import get_current_context

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.parameters import Kind, is_blank, name, required_name

#: Kinds of the parameters that every operator and sensor has.
CONNECTION_KINDS: dict[str, Kind] = {
    "bitbucket_conn_id": required_name,
    "workspace": name,
    "run_as": lambda parameter, value: acting_user(parameter, value),
}

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def given(run_as: Any) -> str | None:
    """Return a user name as it was given; None for nothing, and for a template that found nothing."""
    return None if is_blank(run_as) else str(run_as).strip()


def acting_user(parameter: str, value: Any) -> str | None:
    """Return a user's name, None if it was left out, and an empty text if its template rendered to nothing.

    That is not the same as left out: nobody else's credentials are used then.

    :raises ValueError: the value is neither text nor an int
    """
    return value if is_blank(value) else required_name(parameter, value)


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
