"""How patient a request is, and what is worth another try."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_bitbucket.client import lost
from airflow_provider_bitbucket.client.errors import (
    BitbucketAmbiguousError,
    BitbucketConnectionError,
    BitbucketRateLimitError,
)

#: 555 is Bitbucket's own: a merge, diff or source request that took too long on its side.
TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504, 555})


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a request is. Time spent waiting for the request budget does not count.

    :param attempts: tries at most, the first included
    :param max_seconds: no further try begins this long after the first
    :param first_wait: seconds of the first back-off, doubled each time; each wait is drawn between 0 and that
    :param longest_wait: seconds a back-off grows to
    :param rate_limit_wait: seconds of the first back-off after a 429 without ``Retry-After``, doubled twice at most: the
        window is an hour long, rolling and silent, so minutes are right
    :param pace: wait when the request budget is used up; False: reads raise :class:`BitbucketRateLimitError` at once, and
        what changes something is sent nevertheless
    """

    attempts: int = 8
    max_seconds: float = 900.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    rate_limit_wait: float = 60.0
    pace: bool = True

    def wait_seconds(self, tries: int, error: BaseException | None) -> float:
        """Return how long to wait after so many tries that ended with this error."""
        if isinstance(error, BitbucketRateLimitError):
            if error.retry_after is not None:
                return error.retry_after + random.uniform(0, 1)  # noqa: S311 - jitter, no secret
            longest = self.rate_limit_wait * min(2 ** (tries - 1), 4)
        else:
            longest = min(self.first_wait * 2 ** (tries - 1), self.longest_wait)
        return random.uniform(0, longest)  # noqa: S311 - jitter, no secret


#: For a caller that waits by itself, such as a trigger: one try, the error at once.
NO_RETRIES = RetryPolicy(attempts=1, pace=False)


def is_transient(error: BaseException) -> bool:
    """Say whether another try may go better. What is ambiguous must not be tried again."""
    if isinstance(error, BitbucketAmbiguousError):
        return False
    if isinstance(error, BitbucketConnectionError):
        return lost.may_pass(error.__cause__)
    return getattr(error, "status", None) in TRANSIENT_STATUSES
