"""HTML of the emulator's web pages."""

from __future__ import annotations

import html
from collections.abc import Sequence

from fastapi.responses import HTMLResponse, Response

_STYLE = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:break-word}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
code,pre{font-size:.9em}pre{overflow:auto;padding:.6rem;background:#8882}.note{opacity:.7}
button,select{font:inherit;padding:.4rem .8rem;max-width:100%}"""


class Link(str):
    """A link, which is HTML already."""

    def __new__(cls, address: str, text: str) -> Link:
        return super().__new__(cls, f'<a href="{html.escape(address)}">{html.escape(text)}</a>')


def table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """Return a table, or ``None.`` if it has no rows."""

    def cell(value: object) -> str:
        return f"<td>{value if isinstance(value, Link) else html.escape(str(value))}</td>"

    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def web_page(title: str, body: str, status: int = 200) -> Response:
    """Return a page.

    :param title: text
    :param body: HTML
    :param status: HTTP status
    """
    return HTMLResponse(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>{body}"
        '<p class="note">This is bitbucket-cloud-emulator, not bitbucket.org. '
        '<a href="/">All repositories</a></p></html>',
        status,
    )
