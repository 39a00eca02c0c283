"""The one way to Bitbucket: signing, pacing, retrying, redirects and errors for every request of the client."""

from __future__ import annotations

import email.utils
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from airflow_provider_bitbucket.client import errors
from airflow_provider_bitbucket.client.auth import Auth, OAuthClientCredentials
from airflow_provider_bitbucket.client.budget import RateBudget

log = logging.getLogger(__name__)

#: 555 is Bitbucket's own: a merge, diff or source request that took too long on its side.
TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504, 555})
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
JSON = "application/json"


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a request is.

    :param attempts: tries at most, the first included
    :param max_seconds: no further try begins this long after the first
    :param first_wait: seconds of the first back-off, doubled each time; each wait is drawn between 0 and that
    :param longest_wait: seconds a back-off grows to
    :param rate_limit_wait: seconds of the first back-off after a 429 without ``Retry-After``: the window is an hour long, rolling
        and silent, so minutes are right
    :param sleep: waits so many seconds
    """

    attempts: int = 8
    max_seconds: float = 900.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    rate_limit_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def wait_seconds(self, tries: int, error: BaseException | None) -> float:
        """Return how long to wait after so many tries that ended with this error."""
        if isinstance(error, _RateLimited):
            if error.retry_after is not None:
                return error.retry_after + random.uniform(0, 1)  # noqa: S311 - jitter, no secret
            return self.rate_limit_wait * random.uniform(0.5, 1.0) * float(min(2 ** (tries - 1), 4))  # noqa: S311
        return random.uniform(0, min(self.first_wait * 2 ** (tries - 1), self.longest_wait))  # noqa: S311


#: For a caller that waits by itself, such as a trigger: one try, the error at once.
NO_RETRIES = RetryPolicy(attempts=1)


class _RateLimited(errors.BitbucketRateLimitError):
    retry_after: float | None = None


class Session:
    """Sends requests to one API host with one credential; safe to use from several threads.

    :param auth: signs the requests
    :param base_url: where the API is; credentials go nowhere else
    :param timeout: seconds to connect, seconds between two bytes
    :param retries: how patient a request is
    :param budget: paces the requests
    :param verify: TLS verification, or the path of a CA bundle
    :param proxies: scheme -> proxy address
    """

    def __init__(
        self,
        auth: Auth,
        base_url: str,
        *,
        timeout: tuple[float, float],
        retries: RetryPolicy,
        budget: RateBudget,
        verify: bool | str,
        proxies: dict[str, str] | None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"API base URL is {base_url!r}; expected something like 'https://api.bitbucket.org/2.0'")
        if parts.username or parts.query:
            raise ValueError(f"API base URL {errors.safe_url(base_url)!r} must not carry credentials or a query")
        self.auth = auth
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self.budget = budget
        self._timeout = timeout
        self._verify = verify
        self._proxies = proxies
        self._origin = (parts.scheme, parts.netloc.lower())
        self._base_path = parts.path.rstrip("/")
        self._local = threading.local()
        self._announced: set[str] = set()
        if isinstance(auth, OAuthClientCredentials):
            auth.use_host_of(base_url, verify=verify, proxies=proxies)

    def url(self, path: str) -> str:
        """Return the absolute address of a path below the base URL, or of an absolute link on the API's own host.

        :raises BitbucketError: the link leads to another host: no credential goes there
        """
        if not urlsplit(path).scheme and not path.startswith("//"):
            return f"{self.base_url}/{path.lstrip('/')}"
        if not self.is_own(path):
            raise errors.BitbucketError(
                f"Refused to follow a link to {errors.safe_url(path)!r}: the API is at {self.base_url!r}, "
                "and credentials go nowhere else."
            )
        return path

    def is_own(self, url: str) -> bool:
        """Say whether an absolute address is part of the API that the credentials are for."""
        parts = urlsplit(url)
        below = parts.path == self._base_path or parts.path.startswith(f"{self._base_path}/")
        return (parts.scheme, parts.netloc.lower()) == self._origin and below and "/../" not in parts.path

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        expect_json: bool = False,
    ) -> requests.Response:
        """Send a request and return its answer with a status below 400.

        :param idempotent: whether it may be sent again when its answer was lost; by default what HTTP says of the method
        :param expect_json: take an answer that is no JSON for a broken one
        :raises BitbucketError: one of its kinds, with Bitbucket's own sentence
        """
        url = self.url(path)
        repeatable = method in _SAFE_TO_REPEAT if idempotent is None else idempotent
        policy = self.retries
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(policy.attempts) | tenacity.stop_before_delay(policy.max_seconds),
            wait=lambda state: policy.wait_seconds(state.attempt_number, state.outcome.exception() if state.outcome else None),
            sleep=policy.sleep,
            before_sleep=lambda state: self._before_sleep(method, url, state),
            reraise=True,
        )
        return retrying(
            self._attempt, method, url, params, json, data, {"Accept": JSON, **(headers or {})}, repeatable, expect_json
        )

    def _attempt(
        self,
        method: str,
        url: str,
        params: Any,
        json: Any,
        data: Any,
        headers: dict[str, str],
        repeatable: bool,
        expect_json: bool,
    ) -> requests.Response:
        try:
            response = self._follow(method, url, params, json, data, headers)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise self._lost(method, url, error, repeatable) from error
        except requests.RequestException as error:
            raise errors.BitbucketConnectionError(
                f"The request could not be sent: {type(error).__name__}.", method=method, url=errors.safe_url(url)
            ) from error
        if response.status_code == 429:
            raise self._rate_limited(response, method)
        if response.status_code >= 500 and not repeatable:
            raise _ambiguous(method, url, f"Bitbucket answered {response.status_code}", response)
        if response.status_code >= 400:
            raise errors.from_response(response, method, hint=self._hint(response))
        if expect_json and not _looks_like_json(response):
            what = f"Bitbucket answered {response.status_code} with something that is no JSON"
            if not repeatable:
                raise _ambiguous(method, url, what, response)
            raise errors.BitbucketServerError(
                f"{what} ({response.headers.get('Content-Type', 'no content type')}).",
                status=502,  # what a broken gateway is called; the true status would say that all is well
                method=method,
                url=errors.safe_url(url),
                request_id=errors.request_id(response),
            )
        return response

    def _follow(self, method: str, url: str, params: Any, json: Any, data: Any, headers: dict[str, str]) -> requests.Response:
        """Send, renew the credentials once when they are refused, and follow redirects (credentials stay at home)."""
        renewed = False
        for _ in range(_MOST_REDIRECTS + 2):
            own = self.is_own(url)
            response = self._send(method, url, params, json, data, headers, own)
            if response.status_code == 401 and own and not renewed:
                renewed = True
                if self.auth.renew(response.request.headers.get("Authorization")):
                    continue
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                return response
            url, params = urljoin(response.url, response.headers["Location"]), None
            if method not in ("GET", "HEAD") and not (self.is_own(url) and response.status_code in (307, 308)):
                raise errors.BitbucketError(
                    f"It has moved to {errors.safe_url(url)!r}; a request that changes something is not sent on by itself. "
                    "Use the new name.",
                    status=response.status_code,
                    method=method,
                    url=errors.safe_url(response.url),
                )
        raise errors.BitbucketError(f"More than {_MOST_REDIRECTS} redirects.", method=method, url=errors.safe_url(url))

    def _send(
        self, method: str, url: str, params: Any, json: Any, data: Any, headers: dict[str, str], own: bool
    ) -> requests.Response:
        if not own:
            # Pre-signed storage: neither credentials nor cookies, and it is not part of the API's budget.
            with requests.Session() as stranger:
                stranger.trust_env = False
                return stranger.request(
                    method,
                    url,
                    headers={"Accept": "*/*", **{k: v for k, v in headers.items() if k.lower() == "range"}},
                    timeout=self._timeout,
                    verify=self._verify,
                    proxies=self._proxies,
                    allow_redirects=False,
                )
        self.budget.acquire()
        response = self._session().request(
            method,
            url,
            params=params,
            json=json,
            data=data,
            headers=headers,
            auth=self.auth,
            timeout=self._timeout,
            allow_redirects=False,
        )
        self.budget.learn(response.headers)
        self._announce(response)
        return response

    def _session(self) -> requests.Session:
        """Return this thread's session: requests does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.verify = self._verify
            if self._proxies:
                session.proxies.update(self._proxies)
            self._local.session = session
        return session

    def _rate_limited(self, response: requests.Response, method: str) -> _RateLimited:
        problem = errors.from_response(response, method)
        limited = _RateLimited(
            f"{problem.message} The hourly budget of these {self.auth.kind} credentials is used up.",
            status=429,
            method=method,
            url=problem.url,
            request_id=problem.request_id,
        )
        limited.retry_after = _retry_after(response.headers.get("Retry-After"))
        return limited

    def _lost(self, method: str, url: str, error: requests.RequestException, repeatable: bool) -> errors.BitbucketError:
        if repeatable or _surely_not_sent(error):
            return errors.BitbucketConnectionError(
                f"No answer from {urlsplit(url).hostname}: {_cause(error)}.", method=method, url=errors.safe_url(url)
            )
        return _ambiguous(method, url, f"The answer was lost ({_cause(error)})", None)

    def _before_sleep(self, method: str, url: str, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        if isinstance(error, _RateLimited):
            self.budget.pause(seconds)  # the other threads of this credential would only be refused too
        log.warning(
            "%s %s: %s Try %d of %d in %.0f s.",
            method,
            errors.safe_url(url),
            getattr(error, "message", error),
            state.attempt_number + 1,
            self.retries.attempts,
            seconds,
        )

    def _hint(self, response: requests.Response) -> str:
        if response.status_code == 401 and self.auth.kind == "access_token":
            return "If this is an API token of a person, it needs the account e-mail beside it (auth type api_token)."
        return ""

    def _announce(self, response: requests.Response) -> None:
        """Log once for every path that Atlassian is going to remove it (``Deprecation`` and ``Sunset`` headers)."""
        path = urlsplit(response.url).path
        if ("Deprecation" in response.headers or "Sunset" in response.headers) and path not in self._announced:
            self._announced.add(path)
            log.warning(
                "Atlassian will remove %s on %s: %s",
                path,
                response.headers.get("Sunset", "a day not told"),
                response.headers.get("Link", ""),
            )


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, errors.BitbucketAmbiguousError):
        return False
    return isinstance(error, errors.BitbucketConnectionError) or getattr(error, "status", None) in TRANSIENT_STATUSES


def _surely_not_sent(error: requests.RequestException) -> bool:
    """Say whether the connection was never made: refused, no such host, or not in time."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    names = {type(cause).__name__ for cause in _causes(error)}
    return bool(names & {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"})


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    pending: list[Any] = [error]
    while pending and len(found) < 20:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        pending += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]
    return found


def _cause(error: requests.RequestException) -> str:
    """Return the innermost reason in a few words; urllib3's own text would repeat the address with its query."""
    words = {
        "NewConnectionError": "connection refused or host unreachable",
        "NameResolutionError": "no such host",
        "ConnectTimeoutError": "no connection in time",
        "ReadTimeoutError": "no answer in time",
        "ReadTimeout": "no answer in time",
        "IncompleteRead": "the answer broke off",
        "RemoteDisconnected": "the connection was closed without an answer",
        "ConnectionResetError": "the connection was reset",
        "SSLCertVerificationError": "the TLS certificate is not trusted",
    }
    names = [type(cause).__name__ for cause in _causes(error)]
    return next((words[name] for name in reversed(names) if name in words), type(error).__name__)


def _ambiguous(method: str, url: str, what: str, response: requests.Response | None) -> errors.BitbucketAmbiguousError:
    return errors.BitbucketAmbiguousError(
        f"{what}: it may or may not have taken effect, so it was not sent again.",
        status=response.status_code if response is not None else None,
        method=method,
        url=errors.safe_url(url),
        request_id=errors.request_id(response) if response is not None else None,
    )


def _looks_like_json(response: requests.Response) -> bool:
    if not response.content:
        return response.status_code in (201, 202, 204)
    try:
        response.json()
    except ValueError:
        return False
    return True


def _retry_after(value: str | None) -> float | None:
    """Read ``Retry-After``: seconds or an HTTP date; None when it is absent or makes no sense."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
