"""The acting user of a task, where a connection has credentials for each user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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

_user_of_callback: ContextVar[str | None] = ContextVar("user_of_callback", default=None)


def blank_to_none(user: Any) -> str | None:
    """Return a user name without surrounding blanks; None if it is missing, or a template rendered to nothing."""
    return None if is_blank(user) else str(user).strip()


def acting_user(parameter: str, value: Any) -> str | None:
    """Return a user's name, None if it was left out, and an empty text if its template rendered to nothing.

    An empty text is not the same as None: the credentials of another user are not used then.

    :raises ValueError: the value is neither text nor an int
    """
    return value if is_blank(value) else required_name(parameter, value)


def triggering_user() -> str | None:
    """Return the user who triggered the DAG run of the current task; None for a scheduled run, and outside of a task."""
    if user := _user_of_callback.get():
        return user
    try:
        dag_run = get_current_context()["dag_run"]
    except (RuntimeError, KeyError):
        return None
    return blank_to_none(getattr(dag_run, "triggering_user_name", None))


@contextmanager
def triggered_by(user: str | None) -> Iterator[None]:
    """Act in a callback for the run of this user; Airflow knows the current run in tasks only.

    :param user: user who triggered the run; None: unknown
    """
    token = _user_of_callback.set(blank_to_none(user))
    try:
        yield
    finally:
        _user_of_callback.reset(token)


def as_key(user: str) -> str:
    """Return a user's name in the form used in ids of connections and names of variables.

    Different names can have the same key, so the credentials found under a key name their user, which is compared.

    :raises BitbucketConfigurationError: the name has characters with which it could name another connection or variable
    """
    key = user.lower().replace("@", "-at-")
    if not _NAME.fullmatch(key) or len(key) > 100:
        raise BitbucketConfigurationError(
            f"User {user!r} cannot have credentials for Bitbucket: a name must consist of letters and digits, with a single "
            "'.', '-', '_' or '@' between them."
        )
    return key
