"""The one way to Bitbucket: signing, pacing, retrying, redirects and errors for every request of the client."""

from __future__ import annotations

import copy
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
import tenacity

from airflow_provider_bitbucket.client.transport import errors, network_errors, plain_requests
from airflow_provider_bitbucket.client.transport.addresses import Address, ApiAddress
from airflow_provider_bitbucket.client.transport.budget import shared_budget
from airflow_provider_bitbucket.client.transport.clock import Clock
from airflow_provider_bitbucket.client.transport.responses import decode
from airflow_provider_bitbucket.client.transport.retry import RetryPolicy, is_transient, passes, retry_after
from airflow_provider_bitbucket.client.transport.signing import Auth
from airflow_provider_bitbucket.client.transport.text import one_line

log = logging.getLogger(__name__)

JSON = "application/json"
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MAY_BE_EMPTY = frozenset({201, 202, 204, 304})
#: Seconds that also who does not wait for the budget lets pass between two requests.
_MOST_SPACING = 10.0


@dataclass
class _Request:
    """A request and what became of it so far.

    :param repeatable: whether it may be sent again when its answer was lost
    :param object_only: nothing but a JSON object will do, wherever it comes from
    :param paced: seconds it waited for the request budget
    :param tries: how often it failed, other than by 429 while it waits for the budget
    """

    method: str
    url: str
    params: Any
    json: Any
    data: Any
    headers: Mapping[str, str]
    stream: bool
    repeatable: bool
    object_only: bool
    part: slice | None
    check: Callable[[Any], object] | None
    paced: float = field(default=0.0, init=False)
    tries: int = field(default=0, init=False)

    @property
    def wants_json(self) -> bool:
        """Nothing but JSON was asked for; storage elsewhere may still give what it has."""
        return not self.stream and self.headers.get("Accept") == JSON


@dataclass(frozen=True)
class Answer:
    """A response with a status below 400.

    :param response: the response
    :param document: its JSON value where JSON was asked for; None if it is empty or something else was asked for
    """

    response: requests.Response
    document: Any


class Session:
    """Sends requests to one API host with one credential; safe to use from several threads.

    :param auth: signs the requests
    :param base_url: where the API is; credentials go nowhere else
    :param timeout: seconds to connect, seconds between two bytes
    :param retries: how patient a request is
    :param rate_limit: requests an hour that these credentials may make, None for what Bitbucket allows
    :param verify: TLS verification, or the path of a CA bundle
    :param proxies: scheme -> proxy address
    :param clock: where time comes from
    """

    def __init__(
        self,
        auth: Auth,
        base_url: str,
        *,
        timeout: tuple[float, float],
        retries: RetryPolicy,
        rate_limit: int | None,
        verify: bool | str,
        proxies: dict[str, str] | None,
        clock: Clock,
    ) -> None:
        self.api = ApiAddress(base_url)
        self.auth = auth
        self.base_url = self.api.text
        self.retries = retries
        self.budget = shared_budget(auth.budget_key, self.api.address.origin, f"these {auth.kind} credentials", rate_limit, clock)
        self._clock = clock
        self._timeout = timeout
        self._verify = verify
        self._proxies = proxies
        self._local = threading.local()
        self._announced: set[str] = set()
        auth.connect(self.base_url, verify=verify, proxies=proxies)

    def with_options(self, *, retries: RetryPolicy | None, timeout: tuple[float, float] | None) -> Self:
        """Return a session with other options that shares connections, credentials and budget; None keeps an option."""
        other = copy.copy(self)
        other.retries = retries or self.retries
        other._timeout = timeout or self._timeout
        return other

    def url(self, path: str) -> str:
        """Return the absolute address of a path below the base URL, or of an absolute link of the API.

        :raises BitbucketError: it cannot be read or leads to another host: credentials go to the API alone
        """
        return self.api.resolve(path).text

    def is_own(self, url: str) -> bool:
        """Return whether an absolute address is part of the API that the credentials are for."""
        return self.api.contains(Address.parse(url))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        idempotent: bool | None = None,
        object_only: bool = False,
        part: slice | None = None,
        check: Callable[[Any], object] | None = None,
    ) -> Answer:
        """Send a request and return its answer with a status below 400.

        :param idempotent: whether it may be sent again when its answer was lost; by default what HTTP says of the method
        :param object_only: take anything but a JSON object (or nothing, where that is right) for a broken answer, also that of
            another host
        :param part: the bytes that are wanted, where the server may ignore ``Range`` and send everything
        :param check: raises the error of a malformed response for a document that cannot be what was asked for
        :raises BitbucketError: one of its kinds, with Bitbucket's own sentence
        """
        request = _Request(
            method,
            self.url(path),
            params,
            json,
            data,
            {"Accept": JSON, **(headers or {})},
            stream,
            method in _SAFE_TO_REPEAT if idempotent is None else idempotent,
            object_only,
            part,
            check,
        )
        started, policy = self._clock.monotonic(), self.retries

        def seconds_since_start() -> float:
            return self._clock.monotonic() - started - request.paced

        def is_over(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            if policy.leaves_to_budget(error):
                return request.paced + self.budget.free_in > policy.max_paced_seconds
            if isinstance(error, errors.BitbucketRateLimitError) and error.is_budgeted and error.status is None:
                return True  # by our own count, for somebody who does not wait for the budget
            request.tries += 1
            return request.tries >= policy.attempts or seconds_since_start() + state.upcoming_sleep > policy.max_seconds

        def give_up(state: tenacity.RetryCallState) -> NoReturn:
            error: Any = state.outcome and state.outcome.exception()
            tried = f" Gave up after {state.attempt_number} tries in {self._clock.monotonic() - started:.0f} s."
            raise error.with_message(error.message + tried * (state.attempt_number > 1)) from error.__cause__

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            stop=is_over,
            wait=lambda state: policy.wait_seconds(state.attempt_number, state.outcome.exception() if state.outcome else None),
            sleep=self._clock.sleep,
            before_sleep=lambda state: self._before_sleep(request, state),
            retry_error_callback=give_up,
        )
        return retrying(self._attempt, request)

    def _attempt(self, request: _Request) -> Answer:
        try:
            response = self._follow(request)
        except requests.RequestException as error:
            raise self._lost(request, error) from error
        status = response.status_code
        if status == 429:
            raise self._rate_limited(request, response)
        if passes(status) and not request.repeatable:
            raise _ambiguous(request, f"Bitbucket answered {status}", response)
        if status >= 400 and (self.is_own(response.url) or not request.object_only):
            raise errors.from_response(response, request.method, hint=self._hint(response))
        document = self._document(request, response)
        if request.check is not None:
            request.check(document)
        return Answer(response, document)

    def _document(self, request: _Request, response: requests.Response) -> Any:
        """Return the JSON value of a response; a log-in or maintenance page may come from another host.

        :raises BitbucketServerError: it cannot be what was asked for
        :raises BitbucketAmbiguousError: likewise, and the request changes something
        """
        own = self.is_own(response.url)
        if not request.wants_json or not (own or request.object_only):
            return None
        try:
            return _decoded(request, response)
        except ValueError as error:
            problem = str(error)
        kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
        what = f"{'Bitbucket' if own else 'Another host'} answered {response.status_code} with {problem} ({one_line(kind)[:100]})"
        if not request.repeatable:
            raise _ambiguous(request, what, response)
        place = self.base_url if own else errors.safe_url(response.url)
        raise errors.broken_answer(
            f"{what}. If this lasts, what answers at {place} is not the Bitbucket API.",
            method=request.method,
            url=errors.safe_url(response.url),
            request_id=errors.request_id(response),
        )

    def _follow(self, request: _Request) -> requests.Response:
        """Send, renew the credentials once when they are refused, and follow redirects (credentials stay at home)."""
        url, params, trusted, renewed = request.url, request.params, True, False
        for _ in range(_MOST_REDIRECTS + 2):
            trusted = trusted and self.is_own(url)
            with plain_requests.without_queries():
                response = self._send(request, url, params) if trusted else self._send_to_stranger(request, url)
            if response.status_code == 401 and trusted and not renewed:
                renewed = True
                if self.auth.renew(response.request.headers.get("Authorization")):
                    continue
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                return response
            url, params = self._redirect(request, response), None
            if request.method not in _READS and not (self.is_own(url) and response.status_code in (307, 308)):
                raise errors.BitbucketError(
                    f"It has moved to {errors.safe_url(url)!r}; a request that changes something is not sent on by itself. "
                    "Use the new name.",
                    status=response.status_code,
                    method=request.method,
                    url=errors.safe_url(response.url),
                )
        raise errors.BitbucketError(
            f"More than {_MOST_REDIRECTS} redirects.", method=request.method, url=errors.safe_url(request.url)
        )

    def _redirect(self, request: _Request, response: requests.Response) -> str:
        """Return where a redirect leads. One that cannot be read is a malformed response, as another attempt may show."""
        try:
            return self.api.redirect(plain_requests.location_of(response), sent_to=response.url).text
        except errors.BitbucketError as error:
            if request.method not in _READS:
                raise
            raise errors.broken_answer(
                f"The redirect cannot be followed. {error.message}", method=request.method, url=errors.safe_url(response.url)
            ) from None

    def _send(self, request: _Request, url: str, params: Any) -> requests.Response:
        request.paced += self._take_place(request)
        response = self._session().fetch(
            request.method,
            url,
            seconds=self.retries.response_seconds,
            part=request.part,
            stream=request.stream,
            params=params,
            json=request.json,
            data=request.data,
            headers=request.headers,
            auth=self.auth,
            timeout=self._timeout,
            verify=self._verify,  # here, because a session's own is overruled by REQUESTS_CA_BUNDLE
            proxies=self._proxies,  # and by HTTPS_PROXY
        )
        if response.status_code == 429:
            self.budget.refused(retry_after(response.headers, self._clock.now()))
        elif response.status_code < 400:
            self.budget.granted()
        if response.status_code != 401:  # with which comes what nobody in particular is allowed: 60 an hour
            self.budget.learn(response.headers)
        self._announce(response)
        return response

    def _send_to_stranger(self, request: _Request, url: str) -> requests.Response:
        """Ask pre-signed storage: neither credentials nor cookies go there, and it is not part of the API's budget."""
        return plain_requests.fetch_from_storage(
            request.method,
            url,
            request.headers,
            seconds=self.retries.response_seconds,
            part=request.part,
            stream=request.stream,
            timeout=self._timeout,
            verify=self._verify,
            proxies=self._proxies,
        )

    def _take_place(self, request: _Request) -> float:
        """Take a place in the request budget and return the seconds that were waited for it."""
        if self.retries.pace:
            return self.budget.acquire(self.retries.max_paced_seconds - request.paced)
        must, waited = request.method not in _READS, 0.0
        while True:
            seconds, why = self.budget.try_acquire(anyway=must)
            if must or not seconds:
                return waited
            if why or waited + seconds > _MOST_SPACING:
                break
            self._clock.sleep(seconds)  # only spacing: who needs two requests for a look would never get the second
            waited += seconds
        refused = errors.BitbucketRateLimitError(
            f"{why or 'The budget is nearly used up'}; the next is possible in {seconds:.0f} s.",
            method=request.method,
            url=errors.safe_url(request.url),
        )
        refused.retry_after, refused.is_budgeted = seconds, True
        raise refused

    def _session(self) -> plain_requests.PlainSession:
        """Return this thread's session: requests does not promise that one can be shared."""
        session: plain_requests.PlainSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = plain_requests.PlainSession()
        return session

    def _rate_limited(self, request: _Request, response: requests.Response) -> errors.BitbucketError:
        problem = errors.from_response(response, request.method)
        if isinstance(problem, errors.BitbucketRateLimitError):
            problem.retry_after = retry_after(response.headers, self._clock.now())
            problem.is_budgeted = self.is_own(response.url)
        if not self.is_own(response.url):
            return problem
        return problem.with_message(f"{problem.message} The hourly budget of {self.budget.name} is used up.")

    def _lost(self, request: _Request, error: requests.RequestException) -> errors.BitbucketError:
        if not request.repeatable and not network_errors.is_surely_not_sent(error):
            return _ambiguous(request, f"The answer was lost ({network_errors.cause(error)})", None)
        url = str(error.request.url if error.request is not None else request.url)  # a log lies on another host
        return errors.BitbucketConnectionError(
            f"No answer from {urlsplit(url).hostname}: {network_errors.cause(error)}.",
            method=request.method,
            url=errors.safe_url(url),
        )

    def _before_sleep(self, request: _Request, state: tenacity.RetryCallState) -> None:
        error: Any = state.outcome and state.outcome.exception()
        if self.retries.leaves_to_budget(error):
            return  # waits for its place in the budget, which says so
        log.warning(
            "%s %s: %s Try %d of %d in %.0f s.",
            request.method,
            errors.safe_url(request.url),
            error.message,
            state.attempt_number + 1,
            self.retries.attempts,
            state.upcoming_sleep,
        )

    def _hint(self, response: requests.Response) -> str:
        return self.auth.hint if response.status_code == 401 and self.is_own(response.url) else ""

    def _announce(self, response: requests.Response) -> None:
        """Log once for every kind of path that Atlassian is going to remove it (``Deprecation``, ``Sunset`` headers)."""
        if "Deprecation" not in response.headers and "Sunset" not in response.headers:
            return
        path = re.sub(r"/(\d+|[0-9a-f]{12,40}|(%7B|\{)[^/]+)(?=/|$)", "/...", urlsplit(response.url).path, flags=re.IGNORECASE)
        if path not in self._announced:
            self._announced.add(path)
            log.warning(
                "Atlassian will remove %s on %s: %s",
                path,
                response.headers.get("Sunset", "a day not told"),
                response.headers.get("Link", "no link given"),
            )


def _ambiguous(request: _Request, what: str, response: requests.Response | None) -> errors.BitbucketAmbiguousError:
    return errors.BitbucketAmbiguousError(
        f"{what}: it may or may not have taken effect, so it was not sent again.",
        status=response.status_code if response is not None else None,
        method=request.method,
        url=errors.safe_url(request.url),
        request_id=errors.request_id(response) if response is not None else None,
    )


def _decoded(request: _Request, response: requests.Response) -> Any:
    """Return the JSON value of a response; None for an empty one, where that is right.

    :raises ValueError: it is something else; what, as the end of a sentence
    """
    asked = "a JSON object" if request.object_only else "JSON"
    if not response.content:
        reads_object = request.object_only and request.method == "GET"
        if not reads_object and (response.status_code in _MAY_BE_EMPTY or request.method in ("HEAD", "DELETE")):
            return None
        raise ValueError(f"nothing instead of {asked}")
    if response.status_code >= 300:
        raise ValueError(f"something that is not {asked}")
    try:
        document = decode(response.content)
    except ValueError:
        raise ValueError(f"something that is not {asked}") from None
    if request.object_only and not isinstance(document, dict):
        raise ValueError(f"something that is not {asked}")
    if isinstance(document, dict) and document.get("type") == "error":
        raise ValueError("an error object instead of what was asked for")
    return document
