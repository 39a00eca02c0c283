"""Receive the authorization code from the browser, on this machine only."""

from __future__ import annotations

import hmac
import html
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from airflow_provider_bitbucket.client import BitbucketError
from airflow_provider_bitbucket.client.transport.addresses import Address

LOOPBACK = ("127.0.0.1", "localhost")
_PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;
margin:4rem auto;padding:0 1rem}}</style><h1>{title}</h1><p>{text}</p></html>"""


class LoginDeniedError(Exception):
    """The user or Bitbucket denied access; the message gives the reason."""


def code_from(address: str, state: str) -> str:
    """Return the code in the address that Bitbucket sent the browser to.

    :param address: the whole address, or only the code, as the user copied it
    :param state: the random text in the address that the user was sent to
    :raises LoginDeniedError: access was denied, or the response belongs to another login
    """
    address = address.strip()
    if "?" not in address:
        if not address:
            raise LoginDeniedError("There is no code in an empty text.")
        return address
    try:
        query = {name: values[0] for name, values in parse_qs(Address.parse(address).query or "").items()}
    except (BitbucketError, ValueError) as error:  # ValueError: too many fields
        raise LoginDeniedError(f"The address cannot be read, copy it again: {error}") from None
    if not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise LoginDeniedError("This response does not belong to the login that was started here (its state differs).")
    if "code" not in query:
        raise LoginDeniedError(
            f"Bitbucket gave no access: {query.get('error_description') or query.get('error') or 'no reason'}."
        )
    return query["code"]


class Listener:
    """Context manager that listens at a callback URL until a browser sends the code.

    :param callback_url: an address of this machine, such as ``http://127.0.0.1:8910/callback``
    :param state: the random text in the address that the user was sent to
    :raises OSError: the port is taken
    """

    def __init__(self, callback_url: str, state: str) -> None:
        address = Address.parse(callback_url)
        self._path = address.path
        self._state = state
        self._code: str | None = None
        self._denied: LoginDeniedError | None = None
        self._answered = threading.Event()
        # A thread for each connection, so that a silent or slow one does not block others.
        self._server = ThreadingHTTPServer(("127.0.0.1", address.port or 80), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Listener:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """Return the code.

        :param seconds: longest time to wait, whatever else connects
        :raises LoginDeniedError: access was denied
        :raises TimeoutError: no browser sent a code in time
        """
        if not self._answered.wait(seconds):
            raise TimeoutError(f"No browser returned from Bitbucket within {seconds:.0f} s")
        if self._code is None:
            raise self._denied or LoginDeniedError("Bitbucket gave no access.")
        return self._code

    def _take(self, target: str) -> tuple[int, str, str]:
        """Record the response that a browser sends and return the status, title and text of the page to show."""
        try:
            self._code = code_from(f"http://127.0.0.1{target}", self._state)
        except LoginDeniedError as error:
            if "Bitbucket gave no access" in str(error):  # a request without the right state cannot end the login
                self._denied = error
            return 400, "Not connected", str(error)
        return 200, "Connected", "You can close this window and go back to the terminal."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30  # frees the thread of a silent connection

            def do_GET(self) -> None:
                path, has_query, _ = self.path.partition("?")
                if path != listener._path or not has_query:
                    self.send_error(404)
                    return
                status, title, text = listener._take(self.path)
                try:
                    self._show(status, title, text)
                finally:
                    if listener._code or listener._denied:
                        listener._answered.set()

            def _show(self, status: int, title: str, text: str) -> None:
                body = _PAGE.format(title=title, text=html.escape(text)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing: the address has the code in it."""

        return Handler
