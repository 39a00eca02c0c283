"""Parts that many objects have."""

from __future__ import annotations

from typing import TypedDict


class Link(TypedDict, total=False):
    """An address."""

    href: str
    name: str


class HtmlLinks(TypedDict, total=False):
    """The links of an object that the provider uses."""

    self: Link
    html: Link


class Text(TypedDict, total=False):
    """A text in its markup and rendered."""

    raw: str
    markup: str
    html: str
