"""Convert the fields of an Airflow Connection to credentials and settings of a client. No other module reads these fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError, BitbucketUserError
from airflow_provider_bitbucket.get_provider_info import CONNECTION_TYPE
from airflow_provider_bitbucket.hooks.credentials.acting_user import as_key, blank_to_none, triggering_user
from airflow_provider_bitbucket.hooks.credentials.client_options import proxy_passwords, read_client_options, warn_about
from airflow_provider_bitbucket.hooks.credentials.logins import Logins
from airflow_provider_bitbucket.parameters import shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import ApiToken, Auth, OAuthConsumer, OAuthLogin

AUTH_TYPES: tuple[str, ...] = tuple(CONNECTION_TYPE["conn-fields"]["auth_type"]["schema"]["enum"])
#: With these each user has credentials of their own.
PER_USER = ("api_token_per_user", "oauth")
DEFAULT_AUTH_TYPE: str = CONNECTION_TYPE["conn-fields"]["auth_type"]["schema"]["default"]


@dataclass(frozen=True)
class ConnectionSettings:
    """The validated settings of a Connection.

    :param auth: signs requests
    :param workspace: default workspace, None if the connection names none
    :param base_url: API base URL
    :param user: acting user, None where there is one credential for all
    :param client_options: further parameters of the client
    """

    auth: Auth
    workspace: str | None
    base_url: str
    user: str | None
    client_options: dict[str, Any]


def read_connection(
    connection: Connection,
    *,
    run_as: str | None = None,
    get_connection: Callable[[str], Connection],
    on_secret: Callable[[str], None],
) -> ConnectionSettings:
    """Return the validated settings of a Connection.

    :param connection: the Airflow connection
    :param run_as: acting user; None: the user who triggered the run, else the connection's default user. An empty text is
        refused where each user has credentials
    :param get_connection: returns the connection of a user
    :param on_secret: called with every text that must not appear in a log, renewed tokens included
    :raises BitbucketConfigurationError: names the connection and the field that is missing or wrong
    """
    where, extra = _where(connection), _extra(connection)
    auth_type = auth_type_of(connection)
    options = client_options_of(connection)
    warn_about(where, extra)
    user: str | None = None
    match auth_type:
        case "api_token_per_user":
            user = _acting_user(where, auth_type, extra, run_as)
            auth: Auth = _token_of_user(connection, user, get_connection)
        case "oauth":
            consumer = read_consumer(connection, on_secret=on_secret)
            user = _acting_user(where, auth_type, extra, run_as)
            auth = _login_of_user(connection, consumer, user)
        case _:
            auth = _shared(where, connection, auth_type, on_secret)
            _refuse_run_as(where, auth_type, run_as)
    for secret in (*auth.secrets(), *proxy_passwords(options)):
        on_secret(secret)
    workspace = _text(extra.get("workspace"))
    if "/" in workspace:
        raise BitbucketConfigurationError(
            f"{where}: workspace is {workspace!r}; give only the workspace's id, the first part of the address of its "
            "repositories (bitbucket.org/<workspace>/<repository>)."
        )
    return ConnectionSettings(auth, workspace or None, base_url_of(connection), user, options)


def auth_type_of(connection: Connection) -> str:
    """Return a connection's auth type.

    :raises BitbucketConfigurationError: the type is unknown
    """
    auth_type = _text(_extra(connection).get("auth_type")) or DEFAULT_AUTH_TYPE
    if auth_type not in AUTH_TYPES:
        raise BitbucketConfigurationError(
            f"{_where(connection)}: auth_type {auth_type!r} is not supported; choose one of {', '.join(AUTH_TYPES)}."
        )
    return auth_type


def read_consumer(connection: Connection, *, on_secret: Callable[[str], None]) -> OAuthConsumer:
    """Return the OAuth consumer of a connection of auth type ``oauth``.

    :raises BitbucketConfigurationError: the connection is of another auth type, or lacks a field
    """
    from airflow_provider_bitbucket.client import OAuthConsumer

    where, auth_type = _where(connection), auth_type_of(connection)
    if auth_type != "oauth":
        raise BitbucketConfigurationError(f"{where}: logins need auth_type 'oauth'; it is {auth_type!r}.")
    consumer = OAuthConsumer(*_consumer(where, connection, auth_type), on_secret=on_secret)
    options = client_options_of(connection)
    consumer.connect(base_url_of(connection), verify=options.get("verify", True), proxies=options.get("proxies"))
    for secret in (*consumer.secrets(), *proxy_passwords(options)):
        on_secret(secret)
    return consumer


def base_url_of(connection: Connection) -> str:
    """Return the API base URL of a connection.

    :raises BitbucketConfigurationError: host is not a URL
    """
    from airflow_provider_bitbucket.client import BASE_URL

    return _base_url(_where(connection), connection) or BASE_URL


def client_options_of(connection: Connection) -> dict[str, Any]:
    """Return the further parameters of the client that a connection sets, such as ``timeout``.

    :raises BitbucketConfigurationError: names the field that is malformed
    """
    return read_client_options(_where(connection), _extra(connection))


def id_for_user(bitbucket_conn_id: str, user: str) -> str:
    """Return the id of the connection with the credentials of a user."""
    return f"{bitbucket_conn_id}__{as_key(user)}"


def user_of(connection: Connection) -> str:
    """Return the user that a connection of a user names; empty if it names none."""
    return _text(_extra(connection).get("user")) if connection.conn_type == CONNECTION_TYPE["connection-type"] else ""


def _refuse_run_as(where: str, auth_type: str, run_as: str | None) -> None:
    if asked := blank_to_none(run_as):
        raise BitbucketConfigurationError(
            f"{where} has one credential for all (auth type {auth_type!r}), so that run_as={asked!r} is not possible. Leave "
            f"run_as out, or use auth type {' or '.join(PER_USER)}."
        )


def _acting_user(where: str, auth_type: str, extra: dict[str, Any], run_as: str | None) -> str:
    if run_as is not None and not blank_to_none(run_as):  # a template that rendered to nothing
        raise BitbucketUserError(
            f"{where}: run_as is {shown(run_as)}; refusing to act as another user. Set run_as to a fixed user name, or leave it "
            "out: then the user who triggered the run, or the connection's default user, acts. Do not take it from "
            "dag_run.conf or params: every user who may trigger the DAG could act as any connected user."
        )
    user = blank_to_none(run_as) or triggering_user() or blank_to_none(extra.get("default_user"))
    if not user:
        raise BitbucketUserError(
            f"{where}: each user has credentials of their own (auth type {auth_type!r}), and no user triggered this run. "
            "Set the acting user with run_as='...', or fill in the connection's default user."
        )
    return user


def _token_of_user(shared: Connection, user: str, get_connection: Callable[[str], Connection]) -> ApiToken:
    own_id = id_for_user(str(shared.conn_id), user)
    add = (
        f"airflow connections add '{own_id}' --conn-type bitbucket --conn-login '<Atlassian e-mail>' "
        f"--conn-password '<API token>' --conn-extra '{json.dumps({'user': user})}'"
    )
    try:
        own = get_connection(own_id)
    except AirflowNotFoundException:
        raise BitbucketUserError(
            f"{user!r} has no credentials for connection {shared.conn_id!r}: there is no connection {own_id!r}. Add it: {add}"
        ) from None
    if user_of(own) != user:
        raise BitbucketUserError(
            f"Connection {own_id!r} does not belong to {user!r} (its field user is {user_of(own)!r}), so it is not "
            f"used. If it is theirs, set the field: {add}"
        )
    return _api_token(_where(own), own, "api_token_per_user")


def _login_of_user(shared: Connection, consumer: OAuthConsumer, user: str) -> OAuthLogin:
    from airflow_provider_bitbucket.client import BitbucketAuthError

    login = Logins(str(shared.conn_id)).auth(consumer, user)
    try:
        login.load()
    except BitbucketAuthError as error:
        raise BitbucketUserError(f"{_where(shared)}: {error.message}") from None
    return login


def _shared(where: str, connection: Connection, auth_type: str, on_secret: Callable[[str], None]) -> Auth:
    from airflow_provider_bitbucket.client import AccessToken, OAuthClientCredentials

    if auth_type == "api_token":
        return _api_token(where, connection, auth_type)
    if auth_type == "oauth_client_credentials":
        return OAuthClientCredentials(*_consumer(where, connection, auth_type), on_secret=on_secret)
    password = _text(connection.password)
    _need(where, auth_type, "password", password, "the access token of a repository, project or workspace")
    try:
        return AccessToken(password)
    except ValueError as error:
        raise BitbucketConfigurationError(f"{where}: {error}.") from None


def _api_token(where: str, connection: Connection, auth_type: str) -> ApiToken:
    from airflow_provider_bitbucket.client import ApiToken

    login, password = _text(connection.login), _text(connection.password)
    if not login or password.startswith(f"{login}:"):
        login, _, password = password.rpartition(":")  # 'email:token' pasted whole; tokens have no colon
    _need(where, auth_type, "password", password, "an API token from id.atlassian.com with Bitbucket scopes")
    hint = " This looks like an access token: choose auth type 'access_token'." * password.startswith("ATCTT")
    paste = f" Fill it in, or paste 'email:token' into password.{hint}"
    _need(where, auth_type, "login", login, "your Atlassian e-mail", paste)
    return ApiToken(login, password)


def _consumer(where: str, connection: Connection, auth_type: str) -> tuple[str, str]:
    """Return key and secret of the connection's OAuth consumer."""
    login, password = _text(connection.login), _text(connection.password)
    _need(where, auth_type, "login", login, "the key of the OAuth consumer")
    _need(where, auth_type, "password", password, "the secret of the OAuth consumer")
    return login, password


def _need(where: str, auth_type: str, field: str, value: str, what: str, way_out: str = "") -> None:
    if not value:
        raise BitbucketConfigurationError(f"{where}: auth type {auth_type!r} needs {field} ({what}); it is empty.{way_out}")


def _where(connection: Connection) -> str:
    return f"Connection {connection.conn_id!r}"


def _extra(connection: Connection) -> dict[str, Any]:
    extra: Any = connection.extra_dejson
    if not isinstance(extra, dict):
        raise BitbucketConfigurationError(f"{_where(connection)}: extra must be a JSON object; it is a {type(extra).__name__}.")
    return extra


def _base_url(where: str, connection: Connection) -> str | None:
    """Return the API base URL from host, port and schema, as the form, JSON or a URI fills them.

    The form has the whole URL in ``host``; a URI ``bitbucket://login:token@127.0.0.1:8070/http`` has the protocol in
    ``schema``, as Airflow's HTTP connections do, and ``bitbucket://http://...@127.0.0.1:8070/2.0`` has the path there.
    """
    from airflow_provider_bitbucket.client.transport.addresses import ApiAddress

    host, schema = _text(connection.host), _text(connection.schema).strip("/")
    if not host:
        return None
    if "://" not in host:
        protocol, schema = (schema, "") if schema in ("http", "https") else ("https", schema)
        host = f"{protocol}://{host}"
    try:
        address = ApiAddress(host).address
        port = f":{connection.port}" if connection.port and not address.port else ""
        return ApiAddress(f"{address.site}{port}/{address.path.strip('/') or schema or '2.0'}").text
    except ValueError as error:
        raise BitbucketConfigurationError(f"{where}: host must be the API base URL, or empty. {error}") from None


def _text(value: Any) -> str:
    """Return a field as text; pasted credentials often end in a line break."""
    return "" if value is None else str(value).strip()
