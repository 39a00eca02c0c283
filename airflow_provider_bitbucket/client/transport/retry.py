"""Retry policies, and the classification of errors as transient."""

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

#: Transient beside 5xx: request timeout, too early, too many requests. 5xx includes Bitbucket's own 555, for merges, diffs and
#: source requests that take too long.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
#: Seconds; the window of Bitbucket's quota.
LONGEST_CREDIBLE_WAIT = 3600.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a request is retried. Waits for the request budget, also after a 429, are limited separately.

    :param attempts: largest number of attempts, the first included
    :param max_seconds: seconds after the first attempt until which a further one may begin
    :param first_wait: seconds of the first back-off, which doubles each time; the wait is random between 0 and the back-off
    :param longest_wait: largest back-off in seconds
    :param max_paced_seconds: largest wait for the request budget, in seconds; its window is an hour
    :param response_seconds: largest duration of a whole response, in seconds
    :param pace: wait when the request budget is used up; False: reads raise :class:`BitbucketRateLimitError` at once, and
        requests that change something are sent anyway
    """

    attempts: int = 8
    max_seconds: float = 900.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    max_paced_seconds: float = 4 * 3600.0
    response_seconds: float = 300.0
    pace: bool = True

    def leaves_to_budget(self, error: BaseException | None) -> bool:
        """Return whether the wait after an error is left to the request budget, which knows when the next request may be sent."""
        return self.pace and isinstance(error, BitbucketRateLimitError) and error.is_budgeted

    def wait_seconds(self, attempts: int, error: BaseException | None) -> float:
        """Return the seconds to wait after a number of attempts, the last of which ended with this error."""
        if self.leaves_to_budget(error):
            return 0.0
        longest = min(self.first_wait * 2 ** (attempts - 1), self.longest_wait)
        requested = error.retry_after or 0.0 if isinstance(error, BitbucketRateLimitError) else 0.0
        return requested + random.uniform(0, longest)  # noqa: S311 - jitter, no secret


#: For callers with retries of their own, such as triggers: one attempt, no wait for the budget.
NO_RETRIES = RetryPolicy(attempts=1, response_seconds=30.0, pace=False)
#: For optional information that must not block a worker: few attempts, no wait for the budget.
BRIEF = RetryPolicy(attempts=5, max_seconds=30.0, longest_wait=10.0, response_seconds=30.0, pace=False)


def is_transient_status(status: int | None) -> bool:
    """Return whether a status is that of a transient error; those from 520 on come from proxies in front of Bitbucket."""
    return status is not None and (status in _TRANSIENT_STATUSES or 500 <= status < 600)


def is_transient(error: BaseException) -> bool:
    """Return whether a retry can succeed; ambiguous requests must not be retried."""
    if isinstance(error, BitbucketAmbiguousError):
        return False
    if isinstance(error, BitbucketConnectionError):
        return network_errors.is_transient_error(error.__cause__)
    # A rate-limit error without a status is that of a budget which is used up.
    return isinstance(error, BitbucketRateLimitError) or is_transient_status(getattr(error, "status", None))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of ``Retry-After``, given as seconds or as an HTTP date; None if it is missing or malformed.

    :param headers: of the response; a date is compared with the response's own ``Date``, so that a wrong local clock is harmless
    :param now: current time, for a response without ``Date``
    """
    value = headers.get("Retry-After", "").strip()
    if (seconds := whole_number(value)) is not None:
        return credible_wait(seconds)
    until = _http_date(value)
    return credible_wait((until - (_http_date(headers.get("Date", "")) or now)).total_seconds()) if until else None


def credible_wait(seconds: float) -> float:
    """Limit a wait that a server requests to an hour, the window of its quota."""
    return min(max(seconds, 0.0), LONGEST_CREDIBLE_WAIT)


def whole_number(text: str) -> int | None:
    """Return the number in a header, None unless it consists of ASCII digits, which ``str.isdigit`` does not ensure."""
    text = text.strip()
    return int(text.lstrip("0")[:40] or "0") if re.fullmatch(r"[0-9]+", text) else None


def _http_date(text: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
