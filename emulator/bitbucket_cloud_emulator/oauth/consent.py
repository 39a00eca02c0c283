"""The consent page of an OAuth consumer and the redirect that follows."""

from __future__ import annotations

import html
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from bitbucket_cloud_emulator.core.auth import with_included
from bitbucket_cloud_emulator.core.html import web_page
from bitbucket_cloud_emulator.core.http import current_state
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth.models import Consumer
from bitbucket_cloud_emulator.oauth.service import consent
from bitbucket_cloud_emulator.users.models import User

router = APIRouter(prefix="/site/oauth2/authorize")


@dataclass(frozen=True)
class _Asked:
    """A request for consent: the query of the page's address. The form is sent to the same address."""

    consumer: Consumer
    scopes: frozenset[str]
    redirect_uri: str | None  # None: none was sent, people go back to the callback URL
    state: str | None

    def back(self, **answer: str) -> Response:
        """Send the person back with an answer."""
        address = self.redirect_uri or self.consumer.callback_url or ""
        query = urlencode({**answer, **({} if self.state is None else {"state": self.state})})
        return RedirectResponse(f"{address}{'&' if '?' in address else '?'}{query}", 302)


@router.get("")
async def ask(request: Request) -> Response:
    """Show the consent page."""
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    name = html.escape(asked.consumer.user.display_name)
    scopes = "".join(f"<li><code>{html.escape(scope)}</code></li>" for scope in sorted(asked.scopes))
    people = "".join(
        f'<option value="{html.escape(one.nickname)}">{html.escape(one.display_name)}</option>'
        for one in _people(current_state(request))
    )
    return web_page(
        "Confirm access to your account",
        f"<p><b>{name}</b> is requesting access to the following:</p><ul>{scopes}</ul>"
        # Without action: the form is sent to this address, whose query is the request.
        f'<form method="post"><p><label for="user">Signed in as</label> <select id="user" name="user">{people}</select></p>'
        '<p><button name="decision" value="grant">Grant access</button> <button name="decision" value="deny">Deny</button></p>'
        f"</form><p>You will be sent to <code>{html.escape(asked.redirect_uri or asked.consumer.callback_url or '')}</code></p>",
    )


@router.post("")
async def decide(request: Request) -> Response:
    """Send the person back with a code, or without: ``decision`` is ``grant`` or ``deny``, ``user`` a nickname."""
    form = await request.form()
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    people = {one.nickname: one for one in _people(current_state(request))}
    nickname = form.get("user") or next(iter(people), None)
    match form.get("decision"):
        case "deny":
            return asked.back(error="access_denied", error_description="The user denied access to the application")
        case "grant" if nickname in people:
            user = people[str(nickname)]
            return asked.back(code=consent(current_state(request), asked.consumer, user, asked.scopes, asked.redirect_uri))
        case "grant":
            return _refused(f"user is {nickname!r}; expected one of {', '.join(people)}.")
        case other:
            return _refused(f"decision is {other!r}; expected grant or deny.")


def _asked(request: Request) -> _Asked | Response:
    """Return what is asked for, or the answer to a request that is wrong."""
    query = request.query_params
    consumer = current_state(request).consumers.get(query.get("client_id", ""))
    if consumer is None:
        return _refused(f"client_id is {query.get('client_id')!r}; there is no OAuth consumer with this key.")
    if not consumer.callback_url:
        return _refused(f"The OAuth consumer {consumer.key!r} has no callback URL; set one in its settings.")
    # From here on the address to go back to is known to be the consumer's.
    redirect_uri = query.get("redirect_uri") or None
    if redirect_uri and not redirect_uri.startswith(consumer.callback_url):
        return _refused(f"redirect_uri is {redirect_uri!r}; expected one that starts with {consumer.callback_url!r}.")
    asked = _Asked(consumer, frozenset(query.get("scope", "").split()) or consumer.scopes, redirect_uri, query.get("state"))
    if query.get("response_type") != "code":
        description = f"response_type is {query.get('response_type')!r}; the emulator knows 'code' only"
        return asked.back(error="unsupported_response_type", error_description=description)
    if beyond := asked.scopes - with_included(consumer.scopes):
        description = f"The consumer does not have these scopes: {' '.join(sorted(beyond))}"
        return asked.back(error="invalid_scope", error_description=description)
    return asked


def _people(state: State) -> list[User]:
    """Return the people who can sign in, the owner of the workspace first."""
    members = (state.users[uuid] for workspace in state.workspaces.values() for uuid in workspace.members)
    return [one for one in dict.fromkeys(members) if one.type == "user"]


def _refused(why: str) -> Response:
    """An error page without a redirect: the redirect URI may belong to another site."""
    return web_page("Invalid request for access", f"<p>{html.escape(why)}</p>", 400)
