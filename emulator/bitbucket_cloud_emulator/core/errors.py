"""Error responses in the six formats that Bitbucket sends."""

from __future__ import annotations

import html
import json
from typing import Any

from fastapi.responses import Response


class ApiError(Exception):
    """An error response.

    :param style: ``main`` (JSON envelope), ``pipelines`` (no type, generic message), ``text``, ``html``, or of Code Insights:
        ``key`` (no envelope) and ``code`` (the same with the status, seen in 2020)
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        detail: Any = None,
        fields: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        key: str | None = None,
        style: str = "main",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.fields = fields
        self.data = {"key": key} if key else data
        self.style = style
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the error as Bitbucket sends it."""
        if self.style == "text":
            # As a header, because Starlette adds a charset to a media type.
            return Response(self.message, self.status, {**self.headers, "Content-Type": "text/plain"})
        if self.style == "html":
            return Response(_html_page(self.message), self.status, self.headers, "text/html; charset=utf-8")
        if self.style == "key":
            return json_response({**(self.data or {}), "message": self.message, "arguments": {}}, self.status, self.headers)
        if self.style == "code":
            return json_response({"code": self.status, "message": self.message}, self.status, self.headers)
        error: dict[str, Any] = {"message": self.message}
        for name in ("detail", "fields", "data"):
            if (value := getattr(self, name)) is not None:
                error[name] = value
        if self.style == "pipelines":
            return json_response({"error": error}, self.status, self.headers, compact=True)
        body = {"type": "error", "error": error}
        if self.data is not None:
            body["data"] = self.data  # repeated at the top by the main service
        return json_response(body, self.status, self.headers)


class Moved(Exception):
    """The repository has another name now."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None, *, compact: bool = False) -> Response:
    """Return JSON with the spacing of the main service, or compact like the Pipelines service's."""
    separators = (",", ":") if compact else (", ", ": ")
    body = json.dumps(data, ensure_ascii=False, separators=separators)
    # A lone surrogate is sent as an escape: JSON can write it, UTF-8 cannot.
    body = body.encode(errors="backslashreplace").decode()
    return Response(body, status, headers, "application/json; charset=utf-8")


def _html_page(title: str) -> str:
    filler = "<!-- session and profile material stands here on the real site; never log it -->\n" * 300
    return (
        f"<!DOCTYPE html>\n<html><head><title>{html.escape(title)} &mdash; Bitbucket</title></head><body>\n"
        f'<h1>{html.escape(title)}</h1><p><a href="/">All repositories</a></p>\n{filler}</body></html>'
    )
