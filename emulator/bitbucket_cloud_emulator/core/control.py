"""``/_emulator/``: count requests, switch faults and limits, move the clock, add credentials and scripts. Needs no login."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.faults import KINDS, Fault
from bitbucket_cloud_emulator.core.http import current_state, json_body

router = APIRouter(prefix="/_emulator")


@router.get("/requests")
async def requests(request: Request, recent: int = 0) -> dict[str, Any]:
    """Counts since the last reset, per method and route, caller, and OAuth grant and status; with ``recent=n`` the last n too."""
    traffic = request.app.state.traffic
    answer: dict[str, Any] = {
        "total": sum(traffic.counts.values()),
        "counts": dict(sorted(traffic.counts.items())),
        "by_credential": dict(sorted(traffic.by_credential.items())),
        "grants": dict(sorted(traffic.grants.items())),
    }
    if recent:
        answer["recent"] = list(traffic.recent)[-recent:]
    return answer


@router.delete("/requests")
async def reset_requests(request: Request) -> dict[str, Any]:
    """Reset the counts."""
    request.app.state.traffic.reset()
    return {"total": 0}


@router.get("/faults")
async def faults(request: Request) -> list[dict[str, Any]]:
    """The faults that are switched on."""
    return [fault.shown() for fault in request.app.state.faults]


@router.post("/faults")
async def add_fault(request: Request) -> dict[str, Any]:
    """Switch a fault on: the fields of :class:`Fault`, with ``seconds`` (emulated) in place of ``until``."""
    body = await json_body(request, "kind")
    if body["kind"] not in KINDS:
        raise ApiError(400, f"Fault kind is {body['kind']!r}; expected one of {', '.join(KINDS)}")
    seconds = body.pop("seconds", None)
    if seconds is not None:
        body["until"] = current_state(request).clock.now() + timedelta(seconds=seconds)
        body.setdefault("count", None)
    fault: Fault = make_record(Fault, body)
    try:
        re.compile(fault.path)
    except re.error as error:
        raise ApiError(400, f"Fault path {fault.path!r} is no regular expression: {error}") from None
    request.app.state.faults.append(fault)
    return fault.shown()


@router.delete("/faults")
async def clear_faults(request: Request, path: str | None = None) -> list[dict[str, Any]]:
    """Switch faults off, all or those for a path; delayed requests continue. Return the remaining faults."""
    left = [fault for fault in request.app.state.faults if path is not None and fault.path != path]
    request.app.state.faults = left  # another list: a delayed request still iterates over the old one
    return [fault.shown() for fault in left]


@router.get("/clock")
async def clock(request: Request) -> dict[str, Any]:
    """The emulated time."""
    state = current_state(request)
    return {"now": state.clock.now().isoformat(), "speed": state.clock.speed}


@router.post("/clock")
async def change_clock(request: Request) -> dict[str, Any]:
    """Change ``speed``, ``set`` a time, or ``advance`` by seconds."""
    state, body = current_state(request), await json_body(request)
    if unknown := set(body) - {"speed", "set", "advance"}:
        raise ApiError(400, f"Unknown clock settings {sorted(unknown)}; expected speed, set, advance")
    try:
        if "speed" in body:
            state.clock.speed = float(body["speed"])
        if "set" in body:
            state.clock.set(datetime.fromisoformat(body["set"]))
        if "advance" in body:
            state.clock.advance(float(body["advance"]))
    except (TypeError, ValueError) as error:
        raise ApiError(400, f"Clock: {error}") from None
    return await clock(request)


@router.get("/settings")
async def settings(request: Request) -> dict[str, Any]:
    """The switches."""
    return dataclasses.asdict(current_state(request).settings)


@router.patch("/settings")
async def change_settings(request: Request) -> dict[str, Any]:
    """Change switches, by the names of :class:`Settings`."""
    state = current_state(request)
    known = {each.name for each in dataclasses.fields(state.settings)}
    for name, value in (await json_body(request)).items():
        if name not in known:
            raise ApiError(400, f"Unknown setting {name!r}; expected one of {', '.join(sorted(known))}")
        setattr(state.settings, name, value)
    return await settings(request)


@router.get("/digest")
async def digest(request: Request) -> dict[str, str]:
    """A hash of the whole state: equal for equal seed, clock and requests."""
    sha = hashlib.sha256()
    _feed(current_state(request).workspaces, sha, set())
    return {"sha256": sha.hexdigest()}


def make_record(kind: Any, values: dict[str, Any]) -> Any:
    known = {each.name for each in dataclasses.fields(kind)}
    if unknown := set(values) - known:
        raise ApiError(400, f"Unknown {kind.__name__} fields {sorted(unknown)}; expected some of {', '.join(sorted(known))}")
    return kind(**values)


def _feed(value: Any, sha: Any, seen: set[int]) -> None:
    """Hash a value with everything in it; a record that occurs again, because records refer to each other, counts once."""
    if dataclasses.is_dataclass(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        for each in dataclasses.fields(value):
            _feed(getattr(value, each.name), sha, seen)
    elif isinstance(value, dict):
        for key, item in value.items():
            sha.update(repr(key).encode())
            _feed(item, sha, seen)
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(item, sha, seen)
    elif isinstance(value, frozenset | set):
        sha.update(repr(sorted(value)).encode())
    else:
        sha.update(repr(value).encode())
