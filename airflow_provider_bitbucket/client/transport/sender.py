"""Send one attempt of a request: sign it, wait for the request budget, renew credentials, follow redirects."""

from __future__ import annotations

import copy
import logging
import re
import threading
from typing import Any, Self
from urllib.parse import urlsplit

import requests

from airflow_provider_bitbucket.client.transport import errors, plain_requests
from airflow_provider_bitbucket.client.transport.addresses import Address, ApiAddress
from airflow_provider_bitbucket.client.transport.budget import RateBudget
from airflow_provider_bitbucket.client.transport.clock import Clock
from airflow_provider_bitbucket.client.transport.request import Request
from airflow_provider_bitbucket.client.transport.retry import RetryPolicy, retry_after
from airflow_provider_bitbucket.client.transport.signing import Auth

log = logging.getLogger(__name__)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
#: Seconds of spacing between two requests that are waited for even if the budget is not.
_MOST_SPACING = 10.0


class Sender:
    """Sends single attempts; safe to use from several threads.

    :param api: address of the API; credentials are sent nowhere else
    :param auth: signs the requests
    :param budget: paces the requests
    :param timeout: seconds to connect, seconds between two bytes
    :param retries: limits of a response and of waiting for the budget
    :param verify: TLS verification, or the path of a CA bundle
    :param proxies: scheme -> proxy address
    :param clock: source of time
    """

    def __init__(
        self,
        api: ApiAddress,
        auth: Auth,
        budget: RateBudget,
        *,
        timeout: tuple[float, float],
        retries: RetryPolicy,
        verify: bool | str,
        proxies: dict[str, str] | None,
        clock: Clock,
    ) -> None:
        self.api = api
        self.auth = auth
        self.budget = budget
        self.timeout = timeout
        self.retries = retries
        self._verify = verify
        self._proxies = proxies
        self._clock = clock
        self._local = threading.local()
        self._announced: set[str] = set()

    def with_options(self, *, retries: RetryPolicy | None, timeout: tuple[float, float] | None) -> Self:
        """Return a sender with other options that shares connections, credentials and budget; None keeps an option."""
        other = copy.copy(self)
        other.retries = retries or self.retries
        other.timeout = timeout or self.timeout
        return other

    def is_api(self, url: str) -> bool:
        """Return whether an absolute address is part of the API that the credentials are for."""
        return self.api.contains(Address.parse(url))

    def send(self, request: Request) -> requests.Response:
        """Send a request, renew credentials once after a 401, and follow redirects; credentials go to the API alone.

        :raises requests.RequestException: there is no response
        :raises BitbucketError: a redirect cannot be followed, or the request budget is used up
        """
        url, params, trusted, renewed = request.url, request.params, True, False
        for _ in range(_MOST_REDIRECTS + 2):
            trusted = trusted and self.is_api(url)
            with plain_requests.without_queries():
                response = self._send_to_api(request, url, params) if trusted else self._send_to_storage(request, url)
            if response.status_code == 401 and trusted and not renewed:
                renewed = True
                if self.auth.renew(response.request.headers.get("Authorization")):
                    continue
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                return response
            url, params = self._redirect(request, response), None
            if not request.is_read and not (self.is_api(url) and response.status_code in (307, 308)):
                raise errors.BitbucketError(
                    f"The resource has moved to {errors.safe_url(url)!r}; a request that changes something does not follow "
                    "redirects. Use the new name.",
                    status=response.status_code,
                    method=request.method,
                    url=errors.safe_url(response.url),
                )
        raise errors.BitbucketError(
            f"More than {_MOST_REDIRECTS} redirects.", method=request.method, url=errors.safe_url(request.url)
        )

    def _redirect(self, request: Request, response: requests.Response) -> str:
        """Return the address of a redirect.

        :raises BitbucketServerError: it is malformed; transient if the request is a read
        """
        try:
            return self.api.redirect(plain_requests.location_of(response), sent_to=response.url).text
        except errors.BitbucketError as error:
            if not request.is_read:
                raise
            raise errors.malformed_response(
                f"The redirect cannot be followed. {error.message}", method=request.method, url=errors.safe_url(response.url)
            ) from None

    def _send_to_api(self, request: Request, url: str, params: Any) -> requests.Response:
        request.paced_seconds += self._acquire_budget(request)
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
            timeout=self.timeout,
            # Passed with the request, because REQUESTS_CA_BUNDLE and HTTPS_PROXY override those of a session.
            verify=self._verify,
            proxies=self._proxies,
        )
        if response.status_code == 429:
            self.budget.refused(retry_after(response.headers, self._clock.now()))
        elif response.status_code < 400:
            self.budget.granted()
        if response.status_code != 401:  # which reports the limit of anonymous requests: 60 an hour
            self.budget.learn(response.headers)
        self._announce(response)
        return response

    def _send_to_storage(self, request: Request, url: str) -> requests.Response:
        """Send a request to pre-signed storage, without credentials and cookies; it does not count against the budget."""
        return plain_requests.fetch_from_storage(
            request.method,
            url,
            request.headers,
            seconds=self.retries.response_seconds,
            part=request.part,
            stream=request.stream,
            timeout=self.timeout,
            verify=self._verify,
            proxies=self._proxies,
        )

    def _acquire_budget(self, request: Request) -> float:
        """Acquire one request of the budget and return the seconds that this waited.

        :raises BitbucketRateLimitError: the wait would be too long
        """
        if self.retries.pace:
            return self.budget.acquire(self.retries.max_paced_seconds - request.paced_seconds)
        is_unconditional, waited = not request.is_read, 0.0
        while True:
            seconds, why = self.budget.try_acquire(anyway=is_unconditional)
            if is_unconditional or not seconds:
                return waited
            if why or waited + seconds > _MOST_SPACING:
                break
            self._clock.sleep(seconds)  # spacing alone; a poll of two requests would never get its second one otherwise
            waited += seconds
        refused = errors.BitbucketRateLimitError(
            f"{why or 'The budget is nearly used up'}; the next request is possible in {seconds:.0f} s.",
            method=request.method,
            url=errors.safe_url(request.url),
        )
        refused.retry_after, refused.is_budgeted = seconds, True
        raise refused

    def _session(self) -> plain_requests.PlainSession:
        """Return this thread's session; requests does not guarantee that threads can share one."""
        session: plain_requests.PlainSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = plain_requests.PlainSession()
        return session

    def _announce(self, response: requests.Response) -> None:
        """Log once for each kind of path that Atlassian will remove it (headers ``Deprecation`` and ``Sunset``)."""
        if "Deprecation" not in response.headers and "Sunset" not in response.headers:
            return
        path = re.sub(r"/(\d+|[0-9a-f]{12,40}|(%7B|\{)[^/]+)(?=/|$)", "/...", urlsplit(response.url).path, flags=re.IGNORECASE)
        if path not in self._announced:
            self._announced.add(path)
            log.warning(
                "Atlassian will remove %s on %s: %s",
                path,
                response.headers.get("Sunset", "an unknown date"),
                response.headers.get("Link", "no link"),
            )
