"""How patient a request is, and what is worth another try."""

from __future__ import annotations

import email.utils
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_bitbucket.client.transport import network_errors
from airflow_provider_bitbucket.client.transport.errors import (
    BitbucketAmbiguousError,
    BitbucketConnectionError,
    BitbucketRateLimitError,
)

#: Beside 5xx (Bitbucket's own 555 included: a merge, diff or source request that took too long on its side): the request did
#: not arrive in time, came too early, or was one too many.
_PASSING_STATUSES = frozenset({408, 425, 429})
#: Seconds; the window of Bitbucket's quota.
LONGEST_CREDIBLE_WAIT = 3600.0


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a request is. Waiting for the request budget, also after a 429, counts for itself.

    :param attempts: tries at most, the first included
    :param max_seconds: no further try begins this long after the first
    :param first_wait: seconds of the first back-off, doubled each time; each wait is drawn between 0 and that
    :param longest_wait: seconds a back-off grows to
    :param max_paced_seconds: no further try begins after so long a wait for the request budget: its window is an hour
    :param response_seconds: time for a whole response, however steadily it drips in
    :param pace: wait when the request budget is used up; False: reads raise :class:`BitbucketRateLimitError` at once, and
        what changes something is sent nevertheless
    """

    attempts: int = 8
    max_seconds: float = 900.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    max_paced_seconds: float = 4 * 3600.0
    response_seconds: float = 300.0
    pace: bool = True

    def leaves_to_budget(self, error: BaseException | None) -> bool:
        """Say whether the request budget, which is waited for, knows of an error and when the next request may be sent."""
        return self.pace and isinstance(error, BitbucketRateLimitError) and error.is_budgeted

    def wait_seconds(self, tries: int, error: BaseException | None) -> float:
        """Return how long to wait after so many tries that ended with this error."""
        if self.leaves_to_budget(error):
            return 0.0
        longest = min(self.first_wait * 2 ** (tries - 1), self.longest_wait)
        told = error.retry_after or 0.0 if isinstance(error, BitbucketRateLimitError) else 0.0
        return told + random.uniform(0, longest)  # noqa: S311 - jitter, no secret


#: For a caller that waits by itself, such as a trigger: one try, the error at once.
NO_RETRIES = RetryPolicy(attempts=1, response_seconds=30.0, pace=False)
#: For what is good to know and not worth holding up a worker for: when the budget is used up, it is not waited for.
BRIEF = RetryPolicy(attempts=5, max_seconds=30.0, longest_wait=10.0, response_seconds=30.0, pace=False)


def passes(status: int | None) -> bool:
    """Say whether a status tells of a bad moment; those from 520 on are of proxies in front of Bitbucket."""
    return status is not None and (status in _PASSING_STATUSES or 500 <= status < 600)


def is_transient(error: BaseException) -> bool:
    """Say whether another try may go better. What is ambiguous must not be tried again."""
    if isinstance(error, BitbucketAmbiguousError):
        return False
    if isinstance(error, BitbucketConnectionError):
        return network_errors.is_transient_error(error.__cause__)
    # Without a status, too: that of a budget which is known to be used up.
    return isinstance(error, BitbucketRateLimitError) or passes(getattr(error, "status", None))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as seconds or as an HTTP date; None if it is missing or malformed.

    :param headers: of the answer; a date is understood by its own ``Date``, so that a wrong clock does no harm
    :param now: the present, for an answer without a date
    """
    asked = headers.get("Retry-After", "").strip()
    if (seconds := whole_number(asked)) is not None:
        return credible_wait(seconds)
    until = _http_date(asked)
    return credible_wait((until - (_http_date(headers.get("Date", "")) or now)).total_seconds()) if until else None


def credible_wait(seconds: float) -> float:
    """Return a wait that a server asks for, limited: its quota is one of any hour, so nothing can take longer."""
    return min(max(seconds, 0.0), LONGEST_CREDIBLE_WAIT)


def whole_number(text: str) -> int | None:
    """Return the number of a header; None if it is anything but up to 18 ASCII digits, which ``str.isdigit`` does not ensure."""
    text = text.strip()
    return int(text[:40]) if re.fullmatch(r"[0-9]+", text) else None


def _http_date(text: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
