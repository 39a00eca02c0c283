"""From an Airflow connection to a client for Bitbucket Cloud."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseHook, mask_secret

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError, BitbucketUserError
from airflow_provider_bitbucket.get_provider_info import CONNECTION_TYPE
from airflow_provider_bitbucket.hooks.credentials.acting_user import acting_user
from airflow_provider_bitbucket.hooks.metrics import BitbucketMetricsMixin
from airflow_provider_bitbucket.hooks.sql import BitbucketSqlMixin
from airflow_provider_bitbucket.parameters import name as as_name
from airflow_provider_bitbucket.parameters import required_name, timestamp

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.hooks.frames import Moment

log = logging.getLogger(__name__)


class BitbucketHook(BitbucketMetricsMixin, BitbucketSqlMixin, BaseHook):
    """Talk to Bitbucket Cloud with the credentials of an Airflow connection.

    ``get_conn()`` returns the client, with which a task can do whatever no operator covers::

        client = BitbucketHook().get_conn()
        client.pull_requests.get("api", 42)

    :param bitbucket_conn_id: the connection, of type ``bitbucket``
    :param workspace: workspace to work in; default: the connection's
    :param run_as: in whose name, by the user's name in Airflow, where the connection has credentials for each user (auth types
        ``api_token_per_user`` and ``oauth``); default: who triggered the DAG run, else the connection's default user
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

    def get_conn(self) -> BitbucketClient:
        """Return the client, made from the connection once per hook.

        :raises BitbucketConfigurationError: names the connection and the field that is missing or wrong
        """
        if self._client is None:
            self._client = self._make_client()
        return self._client

    async def aget_conn(self) -> BitbucketClient:
        """Return the client in the triggerer: nothing here blocks its event loop.

        The client itself is synchronous: call it in a thread, with asgiref's ``sync_to_async(..., thread_sensitive=False)``.

        :raises BitbucketConfigurationError: as :meth:`get_conn`
        """
        from asgiref.sync import sync_to_async

        # In a thread, because connections, variables and the masking of secrets are asked of the triggerer's supervisor. By
        # asgiref, because before Airflow 3.3 nothing else finds the way back to the event loop that talks to it.
        return await sync_to_async(self.get_conn, thread_sensitive=False)()

    def acting_user(self) -> str | None:
        """Return in whose name requests are made; None where the connection has one credential for all.

        :raises BitbucketConfigurationError: as :meth:`get_conn`
        """
        self.get_conn()
        return self._user

    def full_name(self, repository: str) -> str:
        """Return ``workspace/repository`` for a repository of this hook's workspace, or one that names its own.

        :raises BitbucketConfigurationError: there is no workspace anywhere
        """
        repository = required_name("repository", repository)
        client = self.get_conn()
        if not client.workspace and "/" not in repository:
            raise BitbucketConfigurationError(
                f"Connection {self.bitbucket_conn_id!r}: workspace is empty, and the task names none. Fill it in, give the "
                f"task workspace=..., or write the repository as 'workspace/{repository}'."
            )
        return client.full_name(repository)

    def list_repositories(self, project: str | None = None, name: str | None = None, updated_since: Moment = None) -> list[str]:
        """Return the slugs of the workspace's repositories that fit all that is asked for; one request for every 100 that do.

        :param project: key of the project that they are in
        :param name: text that their names contain, in capitals or not
        :param updated_since: only repositories updated since this time, ISO 8601 text or datetime
        :raises ValueError: ``updated_since`` is not a timestamp
        :raises BitbucketError: they cannot be listed
        """
        from airflow_provider_bitbucket.extraction.dataset import slugs

        filters = {"project": as_name("project", project), "name": as_name("name", name)}
        since = timestamp("updated_since", updated_since)
        found = slugs(self.get_conn().repositories.find(**filters, updated_since=since, fields="values.slug"))
        if not found and any(filters.values()):
            asked = {**filters, "updated since": since}
            log.warning("No repository matches %s.", ", ".join(f"{key} {value!r}" for key, value in asked.items() if value))
        return found

    def _make_client(self) -> BitbucketClient:
        from airflow_provider_bitbucket.client import BitbucketClient
        from airflow_provider_bitbucket.hooks.credentials.connection import read_connection

        settings = read_connection(
            self.get_connection(self.bitbucket_conn_id),
            run_as=self.run_as,
            get_connection=self.get_connection,
            on_secret=mask_secret,
        )
        self._user = settings.user
        options = {**settings.client_options, **self.client_options}
        client = BitbucketClient(settings.auth, self.workspace or settings.workspace, settings.base_url, **options)
        client.budget.name = self.bitbucket_conn_id  # what the log calls it when it waits
        return client

    def test_connection(self) -> tuple[bool, str]:
        """Say who the credentials belong to, which workspace they reach and what they may not do.

        :return: whether the connection works, and what was found out, as sentences; nothing is raised
        """
        from airflow_provider_bitbucket.client import NO_RETRIES
        from airflow_provider_bitbucket.hooks.check import check_connection, check_shared_part

        impatient = type(self)(self.bitbucket_conn_id, self.workspace, self.run_as, timeout=(5.0, 15.0), retries=NO_RETRIES)
        try:
            return check_connection(impatient.get_conn())
        except BitbucketUserError as error:
            return check_shared_part(self.get_connection(self.bitbucket_conn_id), str(error))
        except AirflowException as error:
            return False, str(error)

    def renew_logins(self) -> list[dict[str, Any]]:
        """Renew every OAuth login of the connection, so that none lapses; they do after three months without use.

        :return: ``user``, ``account`` and ``problem`` (None: renewed), one for each login
        :raises BitbucketConfigurationError: the connection is not of auth type ``oauth``
        """
        from airflow_provider_bitbucket.hooks.credentials.connection import read_consumer
        from airflow_provider_bitbucket.hooks.credentials.logins import Logins

        consumer = read_consumer(self.get_connection(self.bitbucket_conn_id), on_secret=mask_secret)
        return Logins(self.bitbucket_conn_id).renew_all(consumer)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The connection's own form fields, for Airflow 3.1; newer ones read them from the provider info."""
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
        """How Airflow's standard fields are shown, for Airflow 3.1; newer ones read it from the provider info."""
        return {name.replace("-", "_"): value for name, value in CONNECTION_TYPE["ui-field-behaviour"].items()}
