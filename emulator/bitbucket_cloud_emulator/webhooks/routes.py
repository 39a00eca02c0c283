"""Webhooks of repositories and workspaces. Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-webhooks.

Subscriptions are stored here. Two with the same address may exist; a secret is never returned.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.auth import missing_scopes
from bitbucket_cloud_emulator.core.bodies import Body, read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, optional_credential, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_pipelines
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.repositories.views import repository_json
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.webhooks.events import event_json, event_keys, scope_of
from bitbucket_cloud_emulator.webhooks.models import Webhook
from bitbucket_cloud_emulator.workspaces.models import Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace
from bitbucket_cloud_emulator.workspaces.views import workspace_json

REPOSITORY_HOOKS = "/repositories/{workspace}/{repo_slug}/hooks"
WORKSPACE_HOOKS = "/workspaces/{workspace}/hooks"
PUBLIC = [Depends(optional_credential)]
SUBJECTS = ("repository", "workspace")

Reader = Annotated[Credential, Depends(requires("read:webhook"))]
Writer = Annotated[Credential, Depends(requires("read:webhook", "write:webhook"))]
Deleter = Annotated[Credential, Depends(requires("delete:webhook"))]

router = APIRouter(prefix=API)


class WebhookBody(Body):
    """A subscription; a PUT keeps what it does not send."""

    url: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    events: list[str] | None = None
    active: bool | None = None
    secret: str | None = None
    history_enabled: bool | None = None
    skip_cert_verification: bool | None = None


@router.get("/hook_events", dependencies=PUBLIC)
async def subjects(request: Request) -> Response:
    """What has events; needs no credentials. The links are nested as in responses, not as in the specification."""
    base = origin(request)
    return json_response({subject: {"links": {"events": {"href": f"{base}{API}/hook_events/{subject}"}}} for subject in SUBJECTS})


@router.get("/hook_events/{subject_type}", dependencies=PUBLIC)
async def events(request: Request, subject_type: str) -> Response:
    """The events of a subject; needs no credentials."""
    if subject_type not in SUBJECTS:
        raise ApiError(404, "Resource not found", detail=f"There are no events of {subject_type}")
    return page(request, event_keys(subject_type), event_json, default=100)


@router.get(REPOSITORY_HOOKS)
@router.get(WORKSPACE_HOOKS)
async def list_webhooks(request: Request, credential: Reader) -> Response:
    """The webhooks, oldest first."""
    owner = _owner(request, credential)
    return page(request, owner.webhooks, lambda one: _webhook_json(request, owner, one))


@router.post(REPOSITORY_HOOKS)
@router.post(WORKSPACE_HOOKS)
async def create_webhook(request: Request, credential: Writer) -> Response:
    """Subscribe to events. The same address twice makes two webhooks."""
    body = await read_body(request, WebhookBody)
    owner, state = _owner(request, credential), current_state(request)
    if not body.url:
        raise _refuse("url", "This field is required.")
    if not body.events:
        raise _refuse("events", "This field is required.")
    made = Webhook(state.uuid(), body.url, "", [], state.clock.now())
    _change(made, body, owner, credential)
    owner.webhooks.append(made)
    shown = _webhook_json(request, owner, made)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.get(REPOSITORY_HOOKS + "/{uid}")
@router.get(WORKSPACE_HOOKS + "/{uid}")
async def get_webhook(request: Request, credential: Reader) -> Response:
    """A webhook by uuid, with or without braces."""
    owner = _owner(request, credential)
    return json_response(_webhook_json(request, owner, _find(request, owner)))


@router.put(REPOSITORY_HOOKS + "/{uid}")
@router.put(WORKSPACE_HOOKS + "/{uid}")
async def update_webhook(request: Request, credential: Writer) -> Response:
    """Change a webhook. A secret that is absent is kept; null and the empty text remove it."""
    body = await read_body(request, WebhookBody)
    owner = _owner(request, credential)
    found = _find(request, owner)
    _change(found, body, owner, credential)
    return json_response(_webhook_json(request, owner, found))


@router.delete(REPOSITORY_HOOKS + "/{uid}")
@router.delete(WORKSPACE_HOOKS + "/{uid}")
async def delete_webhook(request: Request, credential: Deleter) -> Response:
    """Delete a webhook."""
    owner = _owner(request, credential)
    owner.webhooks.remove(_find(request, owner))
    return Response(status_code=204)


def _owner(request: Request, credential: Credential) -> Repository | Workspace:
    """Return whose webhooks a request is about.

    :raises ApiError: 403 unless the caller administers it; a token of a repository does not reach those of its workspace
    """
    names = request.path_params
    workspace = find_workspace(request, names["workspace"], by_uuid=True)
    # Credentials that were added for a test need not be those of a member.
    is_administrator = workspace.members.get(credential.user.uuid, "owner") == "owner"
    if not is_administrator or ("repo_slug" not in names and credential.repository):
        raise ApiError(403, "You must be an administrator to manage webhooks.")
    return find_repository(request, names["workspace"], names["repo_slug"]) if "repo_slug" in names else workspace


def _find(request: Request, owner: Repository | Workspace) -> Webhook:
    uid = request.path_params["uid"]
    for webhook in owner.webhooks:
        if uid.strip("{}") == webhook.uuid.strip("{}"):
            return webhook
    raise ApiError(404, f"{uid} is not a valid hook")


def _change(webhook: Webhook, body: WebhookBody, owner: Repository | Workspace, credential: Credential) -> None:
    """Apply a body to a webhook, after all of it was checked."""
    sent = body.sent()
    if "url" in sent and (urlsplit(sent["url"]).scheme not in ("http", "https") or not urlsplit(sent["url"]).netloc):
        raise _refuse("url", "Enter a valid URL.")
    if "events" in sent:
        _check_events(sent["events"], owner, credential)
    if "secret" in body.model_fields_set:
        sent["secret"] = body.secret or None
    for name, value in sent.items():
        setattr(webhook, name, value)


def _check_events(events: list[str], owner: Repository | Workspace, credential: Credential) -> None:
    known = event_keys("repository" if isinstance(owner, Repository) else "workspace")
    if not events or len(set(events)) < len(events):
        raise _refuse("events", "Duplicate events." if events else "This field is required.")
    for event in events:
        if event not in known:
            raise _refuse("events", f"'{event}' is not a valid choice.")
    needed = sorted({scope_of(event) for event in events})
    if missing_scopes(credential, needed):
        raise ApiError(
            403,
            "Your credentials lack one or more required privilege scopes.",
            detail={"required": [f"{name}:bitbucket" for name in needed], "granted": sorted(credential.scopes)},
        )


def _refuse(name: str, problem: str) -> ApiError:
    return ApiError(400, f"{name}: {problem}", fields={name: [problem]})


def _webhook_json(request: Request, owner: Repository | Workspace, webhook: Webhook) -> dict[str, Any]:
    base = origin(request)
    if isinstance(owner, Repository):
        kind, subject, path = "repository", repository_json(owner, base), f"repositories/{owner.full_name}"
    else:
        kind, subject, path = "workspace", workspace_json(owner, base), f"workspaces/{owner.slug}"
    return {
        "type": "webhook_subscription",
        "uuid": webhook.uuid,
        "url": webhook.url,
        "description": webhook.description,
        "subject_type": kind,
        "subject": subject,
        "active": webhook.active,
        "created_at": iso_pipelines(webhook.created_at),
        "events": webhook.events,
        "secret_set": webhook.secret is not None,
        "history_enabled": webhook.history_enabled,
        "read_only": False,
        "skip_cert_verification": webhook.skip_cert_verification,
        "source": None,
        "links": {"self": {"href": f"{base}{API}/{path}/hooks/{quote(webhook.uuid)}"}},
    }
