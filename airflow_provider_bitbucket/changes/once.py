"""Create something once, although the answer to its creation may be lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_bitbucket.client import BitbucketAmbiguousError

T = TypeVar("T")
log = logging.getLogger(__name__)


def find_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """Return what exists, else create it; after a lost answer search again before creating it again.

    :param find: returns what an earlier attempt, or something else, has created; None if there is nothing
    :param create: sends the request
    :raises BitbucketAmbiguousError: the answers to two requests were lost
    """
    if (found := find()) is not None:
        return found
    try:
        return create()
    except BitbucketAmbiguousError as error:
        log.warning("Checking whether the request has taken effect nevertheless. %s", error)
    found = find()
    return create() if found is None else found
