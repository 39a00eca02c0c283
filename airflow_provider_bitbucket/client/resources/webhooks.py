"""Webhooks of repositories and workspaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import HookEvent, Webhook


class Webhooks(Resource):
    """Webhooks of a repository, or of the client's workspace (``repository=None``), which covers all its repositories.

    Only administrators may list and change them. Besides those of webhooks, the scope of each event's subject is needed:
    pull requests for ``pullrequest:created``, for example.
    """

    def list(self, repository: str | None = None) -> Iterator[Webhook]:
        """Yield the webhooks. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``; None: of the workspace
        """
        return cast("Iterator[Webhook]", self._api.paginate(self._path(repository)))

    def get(self, webhook: str, repository: str | None = None) -> Webhook:
        """Return a webhook by uuid."""
        return cast("Webhook", self._api.get(self._path(repository, webhook)))

    def create(
        self,
        url: str,
        events: Sequence[str],
        repository: str | None = None,
        *,
        description: str = "",
        active: bool = True,
        secret: str | None = None,
    ) -> Webhook:
        """Create a webhook and return it. Bitbucket creates a second one for an address that has one.

        :param url: where deliveries go; it has to be reachable from the internet
        :param events: such as ``["repo:push"]``, each once; :meth:`events` lists them
        :param secret: key of the signatures; None: deliveries are not signed
        :raises BitbucketPermissionError: not an administrator, or the scope of an event is missing
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        body = _body(url, events, description, active, secret)
        return cast("Webhook", self._api.post(self._path(repository), body))

    def update(
        self,
        webhook: str,
        url: str,
        events: Sequence[str],
        repository: str | None = None,
        *,
        description: str = "",
        active: bool = True,
        secret: str | None = None,
    ) -> Webhook:
        """Write all of a webhook but, where none is given, its secret; return it.

        :param webhook: its uuid
        :param secret: new key of the signatures; None: keep what there is; empty: remove it
        """
        body = _body(url, events, description, active, secret)
        return cast("Webhook", self._api.put(self._path(repository, webhook), body))

    def delete(self, webhook: str, repository: str | None = None) -> None:
        """Delete a webhook by uuid.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(repository, webhook))

    def subjects(self) -> dict[str, Any]:
        """Return the kinds of things that have webhooks, each with a link to its events."""
        return self._api.get("/hook_events")

    def events(self, subject: Literal["repository", "workspace"]) -> Iterator[HookEvent]:
        """Yield the events that webhooks of a subject can subscribe to. Costs one request for every 100."""
        return cast("Iterator[HookEvent]", self._api.paginate(f"/hook_events/{segment(subject)}"))

    def _path(self, repository: str | None, webhook: str | None = None) -> str:
        owner = self._api.workspace_path() if repository is None else self._api.repository_path(repository)
        return f"{owner}/hooks" if webhook is None else f"{owner}/hooks/{segment(webhook)}"


def _body(url: str, events: Sequence[str], description: str, active: bool, secret: str | None) -> dict[str, Any]:
    body = {"url": url, "events": [*events], "description": description, "active": active}
    return body if secret is None else {**body, "secret": secret}
