"""Ensure webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, name_if_given, names, refused, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketEnsureWebhookOperator"]


def event_names(parameter: str, value: Any) -> list[str]:
    """Return names of events, at least one.

    :raises ValueError: there is none
    """
    found = names(parameter, value)
    if not found:
        raise refused(parameter, value, "at least one event, such as 'repo:push'")
    return found


class BitbucketEnsureWebhookOperator(BitbucketOperator):
    """Ensure that a repository, or all of a workspace, has a webhook for an address: create it, update it, or leave it::

        BitbucketEnsureWebhookOperator(
            task_id="webhook", repository="api", url="https://airflow.example.com/bitbucket", events=["repo:push"],
            secret_conn_id="bitbucket_webhook"
        )

    **Under retry** there is one webhook for the address, also after a lost answer or a kill at any point. Of several that exist
    already, the oldest is updated and the others are named in a warning.

    Costs one request for every 100 webhooks, and one to create or update it. Only administrators may; besides the scopes of
    webhooks, those of the events are needed, such as that of pull requests for ``pullrequest:created``.

    :param url: where deliveries go, reachable from the internet (templated)
    :param events: all events that the webhook subscribes to (templated)
    :param repository: slug of the repository, or ``workspace/slug``; None: a webhook of the workspace (templated)
    :param description: shown in Bitbucket (templated)
    :param active: False: nothing is delivered
    :param secret_conn_id: Airflow connection whose password signs the deliveries. It cannot be read back from Bitbucket, so the
        webhook is written each time. None: a new webhook is not signed, an existing one keeps what it has (templated)
    :param operator: parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: ``uuid``, ``url``, ``events``, ``active``, and ``change``: created, updated or unchanged
    :raises ValueError: a parameter is malformed
    :raises BitbucketError: Bitbucket refused, for example because an event is unknown
    """

    template_fields: Sequence[str] = (
        *BitbucketOperator.template_fields,
        *("url", "events", "repository", "description", "secret_conn_id"),
    )
    url = Templated()
    events = Templated()
    repository = Templated()
    secret_conn_id = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketOperator.parameter_kinds,
        "url": required_name,
        "events": event_names,
        "repository": name_if_given,
        "description": required_name,
        "secret_conn_id": name_if_given,
    }

    def __init__(
        self,
        *,
        url: str,
        events: str | Sequence[str],
        repository: str | None = None,
        description: str = "Airflow",
        active: bool = True,
        secret_conn_id: str | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.url = url
        self.events = events
        self.repository = repository
        self.description = description
        self.active = flag("active", active)
        self.secret_conn_id = secret_conn_id

    def perform(self, context: Context) -> dict[str, Any]:
        """Ensure the webhook and return a summary of it."""
        from airflow_provider_bitbucket.changes.webhooks import ensure_webhook
        from airflow_provider_bitbucket.hooks.connection_secret import connection_secret

        secret = None if self.secret_conn_id is None else connection_secret(self.secret_conn_id)
        webhook, change = ensure_webhook(
            self.hook.get_conn(),
            self.url,
            self.events,
            self.repository,
            description=self.description,
            active=self.active,
            secret=secret,
        )
        self.log.info("The webhook for %s is %s.", self.url, change)
        return {**{name: webhook.get(name) for name in ("uuid", "url", "events", "active")}, "change": change}
