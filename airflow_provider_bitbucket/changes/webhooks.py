"""Have one webhook for an address."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from airflow_provider_bitbucket.changes.once import find_or_create
from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.client.types import Webhook

log = logging.getLogger(__name__)


def ensure_webhook(
    client: BitbucketClient,
    url: str,
    events: Sequence[str],
    repository: str | None = None,
    *,
    description: str,
    active: bool = True,
    secret: str | None = None,
) -> tuple[Webhook, Literal["created", "updated", "unchanged"]]:
    """Return the webhook for an address, created or updated where needed, and which of both was done.

    Of several with the address, the oldest is updated; the others are named in a warning and left as they are. Costs one
    request for every 100 webhooks, and one to create or update it.

    :param url: where deliveries go; it identifies the webhook
    :param events: all events that it subscribes to
    :param repository: slug, or ``workspace/slug``; None: a webhook of the workspace
    :param secret: key of the signatures. It cannot be read back, so with one the webhook is always written. None: it keeps what
        it has
    """
    events = list(dict.fromkeys(events))
    created: list[Webhook] = []

    def find() -> Webhook | None:
        found = sorted(
            (one for one in client.webhooks.list(repository) if one.get("url") == url), key=lambda one: str(one.get("created_at"))
        )
        if len(found) > 1:
            others = ", ".join(str(one.get("uuid")) for one in found[1:])
            log.warning("%s has several webhooks: each event is delivered several times. Delete the others: %s", url, others)
        return found[0] if found else None

    def create() -> Webhook:
        made = client.webhooks.create(url, events, repository, description=description, active=active, secret=secret)
        created.append(made)
        return made

    found = find_or_create(find, create)
    if created:
        return found, "created"
    wanted = (set(events), description, active)
    if secret is None and (set(found.get("events") or ()), found.get("description"), found.get("active")) == wanted:
        return found, "unchanged"
    uuid = found["uuid"]
    found = client.webhooks.update(uuid, url, events, repository, description=description, active=active, secret=secret)
    return found, "updated"
