"""The one place where a response of the wrong shape becomes the client's malformed-response error.

Code that reads a response's fields assumes their documented shape. Bitbucket, or a proxy in front of it, does not always keep to
it, and what then fails is the reading code: a ``TypeError``, a ``KeyError``, an ``OverflowError``. Such a failure says nothing
about the subject of the response, so it is a transient error and no reason to end anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError, malformed_response

T = TypeVar("T")

#: What reading a response of the wrong shape raises. ``UnicodeError`` and ``JSONDecodeError`` are ``ValueError``.
UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)

#: Characters of the original error that are shown; it may quote the response.
_LONGEST_CAUSE = 200


@contextmanager
def malformed_as_error(subject: str) -> Iterator[None]:
    """Convert the errors that parsing raises in the ``with`` block into a malformed-response error.

    Only the reading of a received response belongs inside, not the request: a ``ValueError`` for a wrong parameter must stay one.

    :param subject: what the response is about, for the message: ``pipeline 12 of acme/api``
    :raises BitbucketServerError: the response cannot be read; transient
    """
    try:
        yield
    except UNREADABLE as error:
        cause = f"{type(error).__name__}: {str(error)!r:.{_LONGEST_CAUSE}}"
        raise malformed_response(f"Bitbucket sent a malformed response about {subject} ({cause}).") from error


def read_or_error(read: Callable[[], T], subject: str) -> T | BitbucketServerError:
    """Return what is read from a response, or the error of a malformed one, where that concerns one subject of several.

    :param read: reads a response that was received
    :param subject: as for :func:`malformed_as_error`
    """
    try:
        with malformed_as_error(subject):
            return read()
    except BitbucketServerError as error:
        return error


def read_rows(rows: Sequence[Any], read: Callable[[Any], T], subject: str) -> tuple[list[T], BitbucketServerError | None]:
    """Read the rows of a list one by one, so that a malformed one does not hide the others.

    :param read: reads a row
    :param subject: as for :func:`malformed_as_error`
    :return: what was read, and the error of a malformed row: whatever was not found may be in that row
    """
    found: list[T] = []
    malformed: BitbucketServerError | None = None
    for row in rows:
        result = read_or_error(partial(read, row), subject)
        if isinstance(result, BitbucketServerError):
            malformed = result
        else:
            found.append(result)
    return found, malformed


def is_malformed(error: Exception) -> bool:
    """Return whether an error may be that of a malformed response; it has the status of a bad gateway."""
    return isinstance(error, UNREADABLE) or (isinstance(error, BitbucketServerError) and error.status == 502)


def text(value: Any) -> str:
    """Return a value that must be a non-empty text; for use within :func:`malformed_as_error`.

    :raises TypeError: it is anything else
    """
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return value
