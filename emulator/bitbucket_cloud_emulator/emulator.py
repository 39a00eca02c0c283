"""Run the emulator in this process: for tests, demos and notebooks."""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import uvicorn

from bitbucket_cloud_emulator.core.clock import Clock
from bitbucket_cloud_emulator.core.server import LOOPBACK, Server
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth.browser import grant_access, log_in


class BitbucketEmulator:
    """An emulator of Bitbucket Cloud in this process, as a context manager::

        with BitbucketEmulator(seed="demo") as bitbucket:
            client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)

    :param seed: ``empty`` (one repository), ``demo`` (three months of a small company) or ``large``
    :param host: address to listen on, of this machine only: there are well-known credentials in it
    :param port: port, 0 for a free one
    :param speed: emulated seconds per second; 0 stops the clock
    :param now: start of the emulated clock; the current time by default
    :param allow_remote: listen on an address that others can reach; anyone with network access can read and change everything
    :param sizes: how large, such as ``pull_requests=5000`` for ``large``
    """

    workspace = "acme"
    api_token = ("demo@example.com", "demo-api-token")
    access_token = "demo-access-token"
    oauth_consumer = ("demo-key", "demo-secret")

    def __init__(
        self,
        seed: str = "demo",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        now: datetime | None = None,
        allow_remote: bool = False,
        **sizes: int | None,
    ) -> None:
        if host not in LOOPBACK and not allow_remote:
            raise ValueError(
                f"host is {host!r}; the emulator has well-known credentials and an open control interface, so it listens on "
                f"{', '.join(LOOPBACK)} only, unless allow_remote is set"
            )
        self.seed = seed
        self.host = host
        self.port = port
        self.state = State(clock=Clock(now, speed))
        self._sizes = {name: size for name, size in sizes.items() if size is not None}
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> BitbucketEmulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> BitbucketEmulator:
        """Plant the seed (once) and listen; return when requests are answered.

        :raises OSError: the port is taken
        """
        from bitbucket_cloud_emulator.app import create_app
        from bitbucket_cloud_emulator.seeds import plant

        listener = socket.create_server((self.host, self.port))  # first, so that a taken port fails at once
        try:
            if not self.state.workspaces:
                plant(self.state, self.seed, **self._sizes)
        except BaseException:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self.state),
            log_config=None,  # logging is configured by the embedding process
            log_level="critical",  # the application logs what fails in it
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            date_header=False,  # the emulated date is sent
        )
        self._server = Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        while not self._server.listening.wait(timeout=1):
            if not self._thread.is_alive():
                raise RuntimeError("The emulator's server ended while it started")
        return self

    def stop(self) -> None:
        """Stop and abort open connections. The state is kept: :meth:`start` resumes on the same port."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    @property
    def api_url(self) -> str:
        """The API base URL."""
        return f"{self.url}/2.0"

    @property
    def api_tokens(self) -> dict[str, tuple[str, str]]:
        """API tokens of people, nickname -> (e-mail, token): of the owner and two members in every seed."""
        return {one.user.nickname: (one.login, one.secret) for one in self.state.credentials if one.login and not one.revoked}

    def login(self, user: str | None = None, scopes: Iterable[str] | None = None) -> dict[str, Any]:
        """Log a user in through :attr:`oauth_consumer`, consent and code exchange over HTTP, and return the token response.

        :param user: nickname; the owner of the workspace when not given
        :param scopes: legacy scopes to ask for, such as ``pipeline:write``; all that the consumer has when not given
        :raises ValueError: the emulator refused, with its reason
        """
        return log_in(self.host, self.port, self.oauth_consumer, user=user, scopes=scopes)

    def grant_access(self, user: str | None = None, redirect_uri: str | None = None) -> str:
        """Grant :attr:`oauth_consumer` access to an account, as a user does in the browser, and return the authorization code.

        :param user: nickname; default: the owner of the workspace
        :param redirect_uri: callback URL; default: the consumer's
        :raises ValueError: the emulator refused, with its reason
        """
        return grant_access(self.host, self.port, self.oauth_consumer[0], user=user, redirect_uri=redirect_uri)

    def logins(self) -> list[dict[str, Any]]:
        """Return all logins: ``consumer``, ``user``, ``scopes``, ``refreshes``, ``revoked``, ``revoked_by_reuse``."""
        logins: list[dict[str, Any]] = self.control("GET", "logins")
        return logins

    def revoke_logins(self, user: str | None = None) -> int:
        """Revoke logins with all their tokens and return how many: those of a user (nickname), or all."""
        return int(self.control("DELETE", f"logins?{urlencode({'user': user})}" if user else "logins")["revoked"])

    def expire_access_tokens(self) -> int:
        """Expire all access tokens of all OAuth consumers now and return how many; refresh tokens stay valid."""
        return int(self.control("POST", "logins/expire", {})["expired"])

    def grants(self) -> dict[str, int]:
        """Return the number of requests per OAuth grant and status, such as ``{"refresh_token 200": 3}``."""
        grants: dict[str, int] = self.control("GET", "requests")["grants"]
        return grants

    def consumer(self, key: str = oauth_consumer[0], **fields: Any) -> dict[str, Any]:
        """Change an OAuth consumer, or add one, and return it.

        :param key: consumer key
        :param fields: ``callback_url`` (every redirect_uri must start with it), ``scopes``, ``private``, ``name``, ``secret``
        """
        consumer: dict[str, Any] = self.control("PATCH", f"consumers/{quote(key, safe='')}", fields)
        return consumer

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control interface below ``/_emulator/`` and return its JSON.

        :raises urllib.error.HTTPError: the emulator refused; the body has the reason
        """
        request = urllib.request.Request(  # noqa: S310 - our own server on this machine
            f"{self.url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def requests(self) -> dict[str, int]:
        """Return the number of requests per route, such as ``{"GET /repositories/{workspace}": 3}``."""
        counts: dict[str, int] = self.control("GET", "requests")["counts"]
        return counts

    def reset_requests(self) -> None:
        """Reset the request counts."""
        self.control("DELETE", "requests")

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on.

        :param kind: ``rate_limit``, ``server_error``, ``reset``, ``latency``, ``late_answer``, ``lost_answer``,
            ``truncated`` or ``html``
        :param options: the other fields of :class:`~bitbucket_cloud_emulator.faults.Fault`: ``count`` (1 by
            default), ``seconds`` (emulated, in place of ``until``), ``method``, ``path``, ``after``, ``status``, ...
        """
        self.control("POST", "faults", {"kind": kind, **options})

    def clear_faults(self, path: str | None = None) -> None:
        """Switch faults off; delayed requests continue.

        :param path: only those with this ``path``, as given to :meth:`fault`
        """
        self.control("DELETE", f"faults?{urlencode({'path': path})}" if path else "faults")

    def clock(self, **change: Any) -> datetime:
        """Change the clock by ``speed=``, ``set=`` (a time) or ``advance=`` (seconds) and return the emulated time."""
        change = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in change.items()}
        return datetime.fromisoformat(self.control("POST", "clock", change)["now"])

    def script(self, repository: str, selector: str, **script: Any) -> None:
        """Script what the pipelines of a selector do, the newest script first.

        :param selector: custom pattern, ``default``, ``branches``, ``pull-requests`` or ``*``
        :param script: ``steps``, ``outcomes``, ``result``, ``error``, ``halted``, ``parsing_seconds``, ``pending_seconds``
        """
        self.control("POST", "scripts", {"repository": repository, "selector": selector, **script})

    def serve_git(self, repository: str, directory: str | os.PathLike[str]) -> str:
        """Serve a git directory on this machine as a repository's own, for clones and fetches, and return its address.

        The REST API keeps its own commits. Git has to be installed.

        :param repository: ``workspace/slug``
        :param directory: a bare repository, or the ``.git`` of another one
        """
        self.control("POST", "repositories", {"repository": repository, "git_directory": os.fspath(directory)})
        return f"{self.url}/{repository}.git"

    def settings(self, **switches: Any) -> dict[str, Any]:
        """Change switches and return them all."""
        settings: dict[str, Any] = self.control("PATCH", "settings", switches)
        return settings

    def credentials(self, kind: str, secret: str, **fields: Any) -> None:
        """Add a credential.

        :param kind: ``api_token``, ``repo_access_token``, ``project_access_token``, ``workspace_access_token`` or ``oauth2``
        :param secret: the token
        :param fields: ``login`` (of an API token), ``scopes`` (all by default), ``workspace``, ``repository``, ``user``
            (nickname; by default a bot of its own) and ``expires_on`` (a time)
        """
        fields = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
        self.control("POST", "credentials", {"kind": kind, "secret": secret, **fields})

    def revoke(self, secret: str) -> None:
        """Revoke a credential, as its owner can at Atlassian."""
        self.control("DELETE", f"credentials/{quote(secret, safe='')}")
