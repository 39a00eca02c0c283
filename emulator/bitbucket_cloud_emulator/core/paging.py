"""Lists: filters, order and pages in each of Bitbucket's styles."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core import query
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.fields import Fields
from bitbucket_cloud_emulator.core.http import origin
from bitbucket_cloud_emulator.core.wire import number as number_of

T = TypeVar("T")

#: The parameter of the next page, by style.
STYLES = {"number": "page", "opaque": "page", "ctx": "ctx"}


def page(
    request: Request,
    items: Sequence[T],
    render: Callable[[T], dict[str, Any]],
    *,
    default: int = 10,
    maximum: int = 100,
    refuse_larger: bool = False,
    style: str = "number",
    with_size: bool = True,
    q_fields: Collection[str] | None = (),
    sort_fields: Collection[str] | None = (),
    lookup: Callable[[T, str], Any] | None = None,
    next_drops: Collection[str] = (),
    compact: bool = False,
) -> Response:
    """Answer a list request.

    :param items: all items, in the list's default order
    :param render: makes the JSON of one item; called only for the items on the page
    :param default: page size when none is asked for
    :param maximum: largest page size; more is cut down, or refused with 400 when ``refuse_larger``
    :param style: ``number`` (``page=2``), ``opaque`` (letters) or ``ctx``
    :param with_size: whether ``size`` and ``page`` are in the response
    :param q_fields: dotted paths ``q`` can filter; None: all; empty: ``q`` is ignored
    :param sort_fields: the same for ``sort``; empty: ignored
    :param lookup: value of an item at a dotted path, without rendering it
    :param next_drops: parameters that the ``next`` link loses
    :param compact: spacing of the Pipelines service
    """
    params = request.query_params
    get = lookup or (lambda item, path: query.dotted(render(item), path))
    chosen: Sequence[T] = items
    if (q := params.get("q")) and q_fields != ():
        condition = query.parse(q, q_fields)
        chosen = [item for item in chosen if condition(item, get)]
    if (sort := params.get("sort")) and sort_fields != ():
        chosen = sorted_by(chosen, sort, sort_fields, get)
    size = _page_size(params.get("pagelen"), default, maximum, refuse_larger)
    number = _page_number(request, style)
    start = (number - 1) * size
    shown = chosen[start : start + size]
    fields = Fields(params.get("fields"))
    # Keys in Bitbucket's order.
    body: dict[str, Any] = {"values": [render(item) for item in shown], "pagelen": size}
    if with_size:
        body["size"] = len(chosen)
    if start + size < len(chosen):
        body["next"] = _link(request, style, number + 1, size, next_drops)
    if with_size or style == "opaque":
        body["page"] = number
    if with_size and number > 1:
        body["previous"] = _link(request, style, number - 1, size, next_drops)
    return json_response(fields.apply(body), compact=compact)


def sorted_by(items: Sequence[T], sort: str, allowed: Collection[str] | None, get: Callable[[T, str], Any]) -> list[T]:
    """Return items sorted by a dotted path, descending behind ``-``; items without a value come last."""
    path = sort.removeprefix("-")
    if allowed is not None and path not in allowed:
        raise ApiError(400, f"Invalid sort attribute provided '{path}'")
    keyed = [(get(item, path), item) for item in items]
    try:
        present = sorted((one for one in keyed if one[0] is not None), key=itemgetter(0), reverse=sort.startswith("-"))
    except TypeError:  # objects, or values of several types
        raise ApiError(400, f"Invalid sort attribute provided '{path}'") from None
    return [item for _, item in present] + [item for key, item in keyed if key is None]


def _page_size(text: str | None, default: int, maximum: int, refuse_larger: bool) -> int:
    if text is None:
        return min(default, maximum)
    size = number_of(text)
    if not size or (size > maximum and refuse_larger):
        raise ApiError(400, "Invalid pagelen")
    return min(size, maximum)


def _page_number(request: Request, style: str) -> int:
    """Return the number of the page; a plain number is accepted in every style."""
    params = request.query_params
    text = params.get("page", params.get(STYLES[style]))
    if text is None:
        return 1
    if style != "number" and not text.isdecimal():
        try:
            text = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode().rpartition("p")[2]
        except ValueError:
            raise ApiError(400, "Invalid page") from None
    number = number_of(text)
    if not number:
        raise ApiError(400, "Invalid page")
    return number


def _link(request: Request, style: str, number: int, size: int, dropped: Collection[str]) -> str:
    name = STYLES[style]
    replaced = {name, "page", "pagelen", *dropped}
    kept = [(key, value) for key, value in request.query_params.multi_items() if key not in replaced]
    # Opaque, but not random: the same state gives the same bytes.
    token = str(number) if style == "number" else base64.urlsafe_b64encode(f"{style}-p{number}".encode()).decode().rstrip("=")
    return f"{origin(request)}{request.url.path}?{urlencode([*kept, ('pagelen', size), (name, token)])}"
