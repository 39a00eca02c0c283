"""Where the browser comes back to: one code, on this machine only."""

from __future__ import annotations

import hmac
import html
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

LOOPBACK = ("127.0.0.1", "localhost")
_PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;
margin:4rem auto;padding:0 1rem}}</style><h1>{title}</h1><p>{text}</p></html>"""


class LoginDeniedError(Exception):
    """The person, or Bitbucket, said no; the message says why."""


def code_from(address: str, state: str) -> str:
    """Return the code in the address that Bitbucket sent the browser to.

    :param address: the whole address, or only the code, as somebody copied it
    :param state: what was sent along with the person
    :raises LoginDeniedError: access was denied, or this answers another question than ours
    """
    address = address.strip()
    if "?" not in address:
        if not address:
            raise LoginDeniedError("There is no code in an empty answer.")
        return address
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    if not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise LoginDeniedError("This answer does not belong to the login that was started here (its state differs).")
    if "code" not in query:
        raise LoginDeniedError(
            f"Bitbucket gave no access: {query.get('error_description') or query.get('error') or 'no reason'}."
        )
    return query["code"]


class Listener:
    """Listens at a callback URL until a browser brings the code, as a context manager.

    :param callback_url: an address of this machine, such as ``http://127.0.0.1:8910/callback``
    :param state: what was sent along with the person
    :raises OSError: the port is taken
    """

    def __init__(self, callback_url: str, state: str) -> None:
        parts = urlsplit(callback_url)
        self._path = parts.path or "/"
        self._state = state
        self._code: str | None = None
        self._denied: LoginDeniedError | None = None
        self._server = HTTPServer(("127.0.0.1", parts.port or 80), self._handler())

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """Return the code.

        :raises LoginDeniedError: access was denied
        :raises TimeoutError: nobody came back
        """
        give_up = time.monotonic() + seconds
        while self._code is None:
            self._server.timeout = give_up - time.monotonic()
            if self._server.timeout <= 0:
                raise TimeoutError(f"Nobody came back from Bitbucket within {seconds:.0f} s")
            self._server.handle_request()
            if self._denied:
                raise self._denied
        return self._code

    def _take(self, address: str) -> tuple[int, str, str]:
        """Take in what a browser asks for and return what it is shown."""
        try:
            self._code = code_from(address, self._state)
        except LoginDeniedError as error:
            if "state differs" not in str(error):  # whoever does not know the state can not end the login either
                self._denied = error
            return 400, "Not connected", str(error)
        return 200, "Connected", "You can close this window and go back to the terminal."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # who connects and says nothing must not keep others out

            def do_GET(self) -> None:
                if urlsplit(self.path).path != listener._path or "?" not in self.path:
                    self.send_error(404)
                    return
                status, title, text = listener._take(self.path)
                body = _PAGE.format(title=title, text=html.escape(text)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the address has the code in it."""

        return Handler
