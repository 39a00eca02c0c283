"""What every handler needs: who asks, what may be asked, how answers and errors look on the wire."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from fastapi import Request
from starlette.datastructures import URL

from bitbucket_cloud_emulator import auth
from bitbucket_cloud_emulator.errors import ApiError, Moved
from bitbucket_cloud_emulator.state import Credential, Repository, State, User, Workspace

API = "/2.0"


def current_state(request: Request) -> State:
    """The emulated Bitbucket behind a request."""
    return cast(State, request.app.state.bitbucket)


def origin(request: Request) -> str:
    """Return scheme, host and port the caller used; links in answers lead back there."""
    return f"{request.url.scheme}://{request.url.netloc}"


def requires(*scopes: str) -> Callable[[Request], Coroutine[Any, Any, Credential]]:
    """Make a dependency that signs the caller in and refuses credentials without these API-token scopes."""

    async def check(request: Request) -> Credential:
        request.state.accepted_scopes = scopes
        credential = auth.authenticate(current_state(request), request)
        request.state.credential = credential
        auth.count(current_state(request), credential)
        if auth.missing_scopes(credential, scopes):
            raise ApiError(
                403,
                "Your credentials lack one or more required privilege scopes.",
                detail={"required": [f"{name}:bitbucket" for name in scopes], "granted": sorted(credential.scopes)},
            )
        return credential

    return check


async def json_body(request: Request, *needed: str) -> dict[str, Any]:
    """Return the JSON object that was sent; an empty body is an empty object.

    :param needed: dotted names that must be in it
    :raises ApiError: 400
    """
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise ApiError(400, "Invalid JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON: expected an object")
    for name in needed:
        found: Any = body
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found in (None, ""):
            raise ApiError(400, f"{name}: This field is required.", fields={name: ["This field is required."]})
    return body


def find_workspace(request: Request, slug: str) -> Workspace:
    """Return a workspace; a stranger's is refused with 403, not 404."""
    state = current_state(request)
    found = state.workspaces.get(slug.lower())
    credential: Credential | None = getattr(request.state, "credential", None)
    if found is None or (credential and credential.workspace not in (None, found.slug)):
        if slug.startswith("{"):
            raise ApiError(404, f"No workspace with identifier '{slug}'.")
        raise ApiError(403, "You do not have access to this workspace.")
    return found


def find_repository(request: Request, workspace: str, slug: str, *, html_404: bool = False) -> Repository:
    """Return a repository by slug or uuid, as far as the credentials reach.

    :param html_404: this endpoint answers a missing repository with a big HTML page
    """
    state = current_state(request)
    owner = state.workspaces.get(workspace.lower()) or next(
        (candidate for candidate in state.workspaces.values() if candidate.uuid == workspace), None
    )
    credential: Credential | None = getattr(request.state, "credential", None)
    if owner and slug in owner.moved:
        new = request.url.path.replace(f"/{slug}", f"/{owner.moved[slug]}", 1)
        raise Moved(str(URL(f"{origin(request)}{new}").replace(query=request.url.query)))
    found = owner and (
        owner.repositories.get(slug.lower())
        or next((candidate for candidate in owner.repositories.values() if candidate.uuid == slug), None)
    )
    if not found or (credential and not auth.reaches(credential, found)):
        if html_404:
            raise ApiError(404, "Page not found", style="html")
        raise ApiError(404, _NO_REPOSITORY)
    return found


def rename(repository: Repository, slug: str) -> None:
    """Give a repository another slug; requests for the old one are redirected from now on."""
    workspace = repository.workspace
    if slug in workspace.repositories:
        raise ApiError(400, "Repository with this Slug and Owner already exists.", fields=NAME_TAKEN)
    workspace.moved[repository.slug] = slug
    workspace.moved.pop(slug, None)
    workspace.repositories[slug] = workspace.repositories.pop(repository.slug)
    repository.slug = slug


NAME_TAKEN = {"name": ["You already have a repository with this name."]}
_NO_REPOSITORY = (
    "The requested repository either does not exist or you do not have access. "
    "If you believe this repository exists and you have access, make sure you're authenticated."
)


def iso_main(moment: datetime) -> str:
    """Microseconds and ``+00:00``: the main service."""
    return moment.isoformat(timespec="microseconds")


def iso_commit(moment: datetime) -> str:
    """Whole seconds and ``+00:00``: commits."""
    return moment.replace(microsecond=0).isoformat()


def iso_pipelines(moment: datetime) -> str:
    """``Z`` and a fraction without trailing zeros: pipelines, deployments, hooks."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def braces(uuid: str) -> str:
    """Return a uuid percent-encoded, as it stands in links."""
    return uuid.replace("{", "%7B").replace("}", "%7D")


def account_json(user: User | None, base: str) -> dict[str, Any] | None:
    """An account as it stands inside other objects, not to be changed; None for one that was deleted."""
    return _account(user.uuid, user.display_name, user.nickname, user.account_id, user.type, base) if user else None


# Kept by value, because a page of pull requests shows the same few hundreds of times.
@lru_cache(maxsize=1024)
def _account(uuid: str, name: str, nickname: str, account_id: str | None, kind: str, base: str) -> dict[str, Any]:
    encoded = braces(uuid)
    shown: dict[str, Any] = {
        "display_name": name,
        "links": {
            "self": {"href": f"{base}{API}/users/{encoded}"},
            "avatar": {"href": f"{base}/account/{encoded}/avatar/32/"},
            "html": {"href": f"{base}/{encoded}/"},
        },
        "type": kind,
        "uuid": uuid,
    }
    if account_id:  # absent on team accounts
        shown["account_id"] = account_id
    if kind == "user":
        shown["nickname"] = nickname
    return shown


def repository_json(repository: Repository, base: str) -> dict[str, Any]:
    """A repository as it stands inside other objects, not to be changed."""
    return _repository(repository.full_name, repository.name, repository.uuid, base)


@lru_cache(maxsize=1024)
def _repository(path: str, name: str, uuid: str, base: str) -> dict[str, Any]:
    return {
        "type": "repository",
        "full_name": path,
        "links": {
            "self": {"href": f"{base}{API}/repositories/{path}"},
            "html": {"href": f"{base}/{path}"},
            "avatar": {"href": f"{base}/{path}/avatar/32/"},
        },
        "name": name,
        "uuid": uuid,
    }


def rendered(text: str) -> dict[str, str]:
    """Markdown with its HTML, as Bitbucket sends texts."""
    body = "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in text.split("\n\n") if part)
    return {"type": "rendered", "raw": text, "markup": "markdown", "html": body}


def route_template(path: str) -> str:
    """Return a route's path without the API prefix, as the published specification writes it."""
    return re.sub(r":path\}", "}", path.removeprefix(API)).rstrip("/") or "/"
