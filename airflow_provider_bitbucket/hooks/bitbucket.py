"""From an Airflow connection to a client for Bitbucket Cloud, and what tasks do with it."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, BaseHook, mask_secret

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError, BitbucketUserError
from airflow_provider_bitbucket.get_provider_info import CONNECTION_TYPE
from airflow_provider_bitbucket.hooks.credentials.acting_user import acting_user
from airflow_provider_bitbucket.parameters import Timestamp, required_name, timestamp
from airflow_provider_bitbucket.parameters import name as as_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.hooks.datasets import Datasets
    from airflow_provider_bitbucket.hooks.files import Files
    from airflow_provider_bitbucket.hooks.metrics import Metrics
    from airflow_provider_bitbucket.hooks.tables import Tables

__all__ = ["BitbucketHook"]

log = logging.getLogger(__name__)

#: How often a request is retried: ``full``: within the request budget, for as long as a task may wait; ``brief``: a few times,
#: for optional information; ``none``: once, for callers that retry themselves.
Retries = Literal["full", "brief", "none"]


class BitbucketHook(BaseHook):
    """Access Bitbucket Cloud with the credentials of an Airflow connection, which is read once per hook.

    - ``get_conn()`` returns the client, for everything that no operator covers:
      ``BitbucketHook().get_conn().pull_requests.get("api", 42)``
    - ``datasets`` reads datasets: ``BitbucketHook().datasets.get_df("pull_requests", since="2026-08-01")``
    - ``metrics`` computes metrics: ``BitbucketHook().metrics.get_df("dora", since="2026-08-01")``
    - ``files`` and ``tables`` write datasets to Parquet and SQL

    :param bitbucket_conn_id: the connection, of type ``bitbucket``
    :param workspace: workspace to use; default: the connection's
    :param run_as: acting user, by name in Airflow, where the connection has credentials for each user (auth types
        ``api_token_per_user`` and ``oauth``); default: the user who triggered the DAG run, else the connection's default user
    :param client_options: further parameters of :class:`~airflow_provider_bitbucket.client.BitbucketClient`, such as
        ``timeout``, ``verify`` or ``proxies``; they take precedence over the connection's
    """

    conn_name_attr = "bitbucket_conn_id"
    default_conn_name = "bitbucket_default"
    conn_type = CONNECTION_TYPE["connection-type"]
    hook_name = CONNECTION_TYPE["hook-name"]

    def __init__(
        self,
        bitbucket_conn_id: str = default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **client_options: Any,
    ) -> None:
        super().__init__()
        self.bitbucket_conn_id = required_name("bitbucket_conn_id", bitbucket_conn_id)
        self.workspace = as_name("workspace", workspace)
        self.run_as = acting_user("run_as", run_as)
        self.client_options = client_options
        self._client: BitbucketClient | None = None
        self._user: str | None = None

    def get_conn(self, retries: Retries = "full") -> BitbucketClient:
        """Return the client. The connection is read on the first call; all clients of a hook share session and request budget.

        :param retries: ``full``, ``brief`` (a few retries, no wait for the request budget) or ``none`` (one attempt)
        :raises BitbucketConfigurationError: names the connection and the field that is missing or wrong
        """
        if self._client is None:
            self._client = self._make_client()
        if retries == "full":
            return self._client
        from airflow_provider_bitbucket.client import NO_RETRIES
        from airflow_provider_bitbucket.client.transport.retry import BRIEF

        return self._client.with_options(retries=BRIEF if retries == "brief" else NO_RETRIES)

    async def aget_conn(self, retries: Retries = "full") -> BitbucketClient:
        """Return the client without blocking the event loop of the triggerer.

        The client itself is synchronous: call it in a thread, with asgiref's ``sync_to_async(..., thread_sensitive=False)``.

        :param retries: as for :meth:`get_conn`
        :raises BitbucketConfigurationError: as for :meth:`get_conn`
        """
        from asgiref.sync import sync_to_async

        # In a thread: reading connections and variables and masking secrets are synchronous calls to the triggerer's supervisor.
        # With asgiref: before Airflow 3.3 nothing else finds the event loop that serves these calls.
        return await sync_to_async(self.get_conn, thread_sensitive=False)(retries)

    @cached_property
    def datasets(self) -> Datasets:
        """Reads datasets as DataFrames or records."""
        from airflow_provider_bitbucket.hooks.datasets import Datasets

        return Datasets(self.get_conn, self)

    @cached_property
    def metrics(self) -> Metrics:
        """Computes metrics as DataFrames."""
        from airflow_provider_bitbucket.hooks.metrics import Metrics

        return Metrics(self.datasets)

    @cached_property
    def files(self) -> Files:
        """Writes datasets, frames and texts to files."""
        from airflow_provider_bitbucket.hooks.files import Files

        return Files(self)

    @cached_property
    def tables(self) -> Tables:
        """Writes datasets to tables of SQL databases."""
        from airflow_provider_bitbucket.hooks.tables import Tables

        return Tables(self, self.datasets, self.metrics)

    def acting_user(self) -> str | None:
        """Return the acting user, None where the connection has one credential for all.

        :raises BitbucketConfigurationError: as for :meth:`get_conn`
        """
        self.get_conn()
        return self._user

    def full_name(self, repository: str) -> str:
        """Return ``workspace/repository`` for a repository of this hook's workspace, or one that names its own.

        :raises BitbucketConfigurationError: neither names a workspace
        """
        repository = required_name("repository", repository)
        client = self.get_conn()
        if not client.workspace and "/" not in repository:
            raise BitbucketConfigurationError(
                f"Connection {self.bitbucket_conn_id!r}: workspace is empty, and the task names none. Fill it in, give the "
                f"task workspace=..., or write the repository as 'workspace/{repository}'."
            )
        return client.full_name(repository)

    def list_repositories(
        self, project: str | None = None, name: str | None = None, updated_since: Timestamp = None
    ) -> list[str]:
        """Return the slugs of the workspace's repositories that match all parameters; one request for every 100.

        :param project: key of their project
        :param name: text that their names contain, ignoring case
        :param updated_since: only repositories updated since this time, ISO 8601 text or datetime
        :raises ValueError: ``updated_since`` is not a timestamp
        :raises BitbucketError: they cannot be listed
        """
        from airflow_provider_bitbucket.extraction.dataset import slugs

        filters = {"project": as_name("project", project), "name": as_name("name", name)}
        since = timestamp("updated_since", updated_since)
        found = slugs(self.get_conn().repositories.find(**filters, updated_since=since, fields="values.slug"))
        if not found and any(filters.values()):
            shown = {**filters, "updated since": since}
            log.warning("No repository matches %s.", ", ".join(f"{key} {value!r}" for key, value in shown.items() if value))
        return found

    @cached_property
    def _connection(self) -> Connection:
        return self.get_connection(self.bitbucket_conn_id)

    def _make_client(self) -> BitbucketClient:
        from airflow_provider_bitbucket.client import BitbucketClient
        from airflow_provider_bitbucket.hooks.credentials.connection import read_connection

        settings = read_connection(
            self._connection, run_as=self.run_as, get_connection=self.get_connection, on_secret=mask_secret
        )
        self._user = settings.user
        options = {**settings.client_options, **self.client_options}
        client = BitbucketClient(settings.auth, self.workspace or settings.workspace, settings.base_url, **options)
        client.budget.name = self.bitbucket_conn_id  # for log lines about waits
        return client

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection works, and a line with account, workspace and features.

        Further lines name what is missing. Costs two or three requests, each tried once. Nothing is raised.
        """
        from airflow_provider_bitbucket.hooks.check import CheckResult, check_connection, check_shared_part

        try:
            result = check_connection(self.get_conn("none").with_options(timeout=(5.0, 15.0)))
        except BitbucketUserError as error:
            result = check_shared_part(self._connection, str(error))
        except AirflowException as error:
            result = CheckResult(False, str(error))
        return result.works, self._without_id(result.message)

    def _without_id(self, message: str) -> str:
        """Return a message without the connection's id: Airflow's test button gives the connection a random one."""
        text = message.replace(f"Connection {self.bitbucket_conn_id!r}", "This connection")
        text = text.replace(f"connection {self.bitbucket_conn_id!r}", "this connection")
        text = text.replace(f"--conn-id {self.bitbucket_conn_id} ", "--conn-id <connection id> ")
        return text.replace(f"{self.bitbucket_conn_id}__", "<connection id>__")

    def renew_logins(self) -> list[dict[str, Any]]:
        """Renew every OAuth login of the connection; a login expires after three months without use.

        :return: ``user``, ``account`` and ``problem`` (None: renewed), one for each login
        :raises BitbucketConfigurationError: the connection is not of auth type ``oauth``
        """
        from airflow_provider_bitbucket.hooks.credentials.connection import read_consumer
        from airflow_provider_bitbucket.hooks.credentials.logins import Logins

        consumer = read_consumer(self._connection, on_secret=mask_secret)
        return Logins(self.bitbucket_conn_id).renew_all(consumer)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection's form fields for Airflow 3.1; newer versions read them from the provider info."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # type: ignore[import-not-found]  # Airflow 3.1 only, maybe a stand-in
        from flask_babel import lazy_gettext  # type: ignore[import-not-found]  # Airflow 3.1 only, maybe a stand-in
        from wtforms import StringField  # type: ignore[import-untyped]  # wtforms has no types
        from wtforms.validators import Optional, any_of  # type: ignore[import-untyped]  # wtforms has no types

        return {
            name: StringField(
                lazy_gettext(field["label"]),
                widget=BS3TextFieldWidget(),
                description=field["description"],
                default=field["schema"].get("default"),
                validators=[Optional(), *([any_of(field["schema"]["enum"])] if "enum" in field["schema"] else [])],
            )
            for name, field in CONNECTION_TYPE["conn-fields"].items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how to show the standard fields for Airflow 3.1; newer versions read it from the provider info."""
        return {name.replace("-", "_"): value for name, value in CONNECTION_TYPE["ui-field-behaviour"].items()}
