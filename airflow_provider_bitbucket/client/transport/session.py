"""Requests to the API: retries, and errors in place of failed responses."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
import tenacity

from airflow_provider_bitbucket.client.transport import errors, network_errors
from airflow_provider_bitbucket.client.transport.addresses import ApiAddress
from airflow_provider_bitbucket.client.transport.budget import shared_budget
from airflow_provider_bitbucket.client.transport.clock import Clock
from airflow_provider_bitbucket.client.transport.documents import read_document
from airflow_provider_bitbucket.client.transport.request import IDEMPOTENT_METHODS, JSON, Answer, Request
from airflow_provider_bitbucket.client.transport.retry import RetryPolicy, is_transient, is_transient_status, retry_after
from airflow_provider_bitbucket.client.transport.sender import Sender
from airflow_provider_bitbucket.client.transport.signing import Auth

log = logging.getLogger(__name__)


class Session:
    """Requests to one API with one set of credentials; safe to use from several threads.

    :param auth: signs the requests
    :param base_url: address of the API; credentials are sent nowhere else
    :param timeout: seconds to connect, seconds between two bytes
    :param retries: how patient a request is
    :param rate_limit: requests an hour for these credentials; None: what Bitbucket allows
    :param verify: TLS verification, or the path of a CA bundle
    :param proxies: scheme -> proxy address
    :param clock: source of time
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
        self._sender = Sender(
            self.api, auth, self.budget, timeout=timeout, retries=retries, verify=verify, proxies=proxies, clock=clock
        )
        auth.connect(self.base_url, verify=verify, proxies=proxies)

    def with_options(self, *, retries: RetryPolicy | None, timeout: tuple[float, float] | None) -> Self:
        """Return a session with other options that shares connections, credentials and budget; None keeps an option."""
        other = copy.copy(self)
        other.retries = retries or self.retries
        other._sender = self._sender.with_options(retries=retries, timeout=timeout)
        return other

    def url(self, path: str) -> str:
        """Return the absolute address of a path below the base URL, or of an absolute link of the API.

        :raises BitbucketError: it cannot be read or leads to another host: credentials go to the API alone
        """
        return self.api.resolve(path).text

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
        """Send a request and return its response with a status below 400.

        :param idempotent: whether it may be sent again after its response was lost; by default as HTTP defines the method
        :param object_only: treat anything but a JSON object (or nothing, where that is allowed) as a malformed response, also
            from another host
        :param part: the wanted bytes, where the server may ignore ``Range`` and send the whole body
        :param check: raises the error of a malformed response for a document that cannot be what was requested
        :raises BitbucketError: a subclass, with Bitbucket's own message
        """
        request = Request(
            method,
            self.url(path),
            params,
            json,
            data,
            {"Accept": JSON, **(headers or {})},
            stream,
            method in IDEMPOTENT_METHODS if idempotent is None else idempotent,
            object_only,
            part,
            check,
        )
        started, policy = self._clock.monotonic(), self.retries

        def seconds_since_start() -> float:
            return self._clock.monotonic() - started - request.paced_seconds

        def is_exhausted(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            if policy.leaves_to_budget(error):
                return request.paced_seconds + self.budget.free_in > policy.max_paced_seconds
            if isinstance(error, errors.BitbucketRateLimitError) and error.is_budgeted and error.status is None:
                return True  # the budget is used up, and the policy does not wait for it
            request.failures += 1
            return request.failures >= policy.attempts or seconds_since_start() + state.upcoming_sleep > policy.max_seconds

        def fail(state: tenacity.RetryCallState) -> NoReturn:
            error: Any = state.outcome and state.outcome.exception()
            attempts = f" Failed after {state.attempt_number} attempts in {self._clock.monotonic() - started:.0f} s."
            raise error.with_message(error.message + attempts * (state.attempt_number > 1)) from error.__cause__

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            stop=is_exhausted,
            wait=lambda state: policy.wait_seconds(state.attempt_number, state.outcome.exception() if state.outcome else None),
            sleep=self._clock.sleep,
            before_sleep=lambda state: self._log_retry(request, state),
            retry_error_callback=fail,
        )
        return retrying(self._attempt, request)

    def _attempt(self, request: Request) -> Answer:
        try:
            response = self._sender.send(request)
        except requests.RequestException as error:
            raise self._connection_error(request, error) from error
        status, from_api = response.status_code, self._sender.is_api(response.url)
        if status == 429:
            raise self._rate_limit_error(request, response, from_api=from_api)
        if is_transient_status(status) and not request.is_idempotent:
            raise request.ambiguous(f"Bitbucket answered {status}", response)
        if status >= 400 and (from_api or not request.object_only):
            hint = self.auth.hint if status == 401 and from_api else ""
            raise errors.from_response(response, request.method, hint=hint)
        document = read_document(request, response, from_api=from_api, base_url=self.base_url)
        if request.check is not None:
            request.check(document)
        return Answer(response, document)

    def _rate_limit_error(self, request: Request, response: requests.Response, *, from_api: bool) -> errors.BitbucketError:
        error = errors.from_response(response, request.method)
        if isinstance(error, errors.BitbucketRateLimitError):
            error.retry_after = retry_after(response.headers, self._clock.now())
            error.is_budgeted = from_api
        if not from_api:
            return error
        return error.with_message(f"{error.message} The hourly budget of {self.budget.name} is used up.")

    def _connection_error(self, request: Request, error: requests.RequestException) -> errors.BitbucketError:
        if not request.is_idempotent and not network_errors.is_surely_not_sent(error):
            return request.ambiguous(f"The response was lost ({network_errors.cause(error)})")
        url = str(error.request.url if error.request is not None else request.url)  # storage of logs is another host
        return errors.BitbucketConnectionError(
            f"No response from {urlsplit(url).hostname}: {network_errors.cause(error)}.",
            method=request.method,
            url=errors.safe_url(url),
        )

    def _log_retry(self, request: Request, state: tenacity.RetryCallState) -> None:
        error: Any = state.outcome and state.outcome.exception()
        if self.retries.leaves_to_budget(error):
            return  # the budget logs its own waits
        log.warning(
            "%s %s: %s Attempt %d of %d in %.0f s.",
            request.method,
            errors.safe_url(request.url),
            error.message,
            state.attempt_number + 1,
            self.retries.attempts,
            state.upcoming_sleep,
        )
