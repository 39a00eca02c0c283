"""From the fields of an Airflow Connection to what a client needs. Nothing else reads a Connection's fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.get_provider_info import CONNECTION_TYPE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import Auth

AUTH_TYPES: tuple[str, ...] = tuple(CONNECTION_TYPE["conn-fields"]["auth_type"]["schema"]["enum"])
DEFAULT_AUTH_TYPE: str = CONNECTION_TYPE["conn-fields"]["auth_type"]["schema"]["default"]


@dataclass(frozen=True)
class ConnectionSettings:
    """What a Connection says, checked.

    :param auth: how requests are signed
    :param workspace: default workspace, None when the connection names none
    :param base_url: API base URL, None for Bitbucket Cloud itself
    """

    auth: Auth
    workspace: str | None
    base_url: str | None


def read_connection(connection: Connection, extra: Any, *, on_secret: Callable[[str], None]) -> ConnectionSettings:
    """Check a Connection's fields and turn them into credentials and settings.

    :param connection: the Airflow connection
    :param extra: its extra, decoded; given apart because decoding is asynchronous in the triggerer
    :param on_secret: called with every text that must never be seen in a log, renewed tokens included
    :raises BitbucketConfigurationError: names the connection and the field that is missing or wrong
    """
    where = f"Connection {connection.conn_id!r}"
    if not isinstance(extra, dict):
        raise BitbucketConfigurationError(f"{where}: extra must be a JSON object; it is a {type(extra).__name__}.")
    auth = _auth(where, connection, _text(extra.get("auth_type")) or DEFAULT_AUTH_TYPE, on_secret)
    for secret in auth.secrets():
        on_secret(secret)
    workspace = _text(extra.get("workspace"))
    if "/" in workspace:
        raise BitbucketConfigurationError(
            f"{where}: workspace is {workspace!r}; give only the workspace's id, the first part of the address of its "
            "repositories (bitbucket.org/<workspace>/<repository>)."
        )
    return ConnectionSettings(auth, workspace or None, _base_url(where, connection))


def _auth(where: str, connection: Connection, auth_type: str, on_secret: Callable[[str], None]) -> Auth:
    from airflow_provider_bitbucket.client import AccessToken, ApiToken, OAuthClientCredentials

    login, password = _text(connection.login), _text(connection.password)

    def need(field: str, value: str, what: str, way_out: str = "") -> None:
        if not value:
            raise BitbucketConfigurationError(f"{where}: auth type {auth_type!r} needs {field} ({what}); it is empty.{way_out}")

    try:
        match auth_type:
            case "api_token":
                if not login or password.startswith(f"{login}:"):
                    login, _, password = password.rpartition(":")  # 'email:token' pasted whole; tokens have no colon
                need("password", password, "an API token from id.atlassian.com with Bitbucket scopes")
                hint = " This looks like an access token: choose auth type 'access_token'." * password.startswith("ATCTT")
                paste = f" Fill it in, or paste 'email:token' into password.{hint}"
                need("login", login, "your Atlassian e-mail", paste)
                return ApiToken(login, password)
            case "access_token":
                need("password", password, "the access token of a repository, project or workspace")
                return AccessToken(password)
            case "oauth_client_credentials":
                need("login", login, "the key of the OAuth consumer")
                need("password", password, "the secret of the OAuth consumer")
                return OAuthClientCredentials(login, password, on_secret=on_secret)
    except ValueError as error:
        raise BitbucketConfigurationError(f"{where}: {error}.") from None
    raise BitbucketConfigurationError(
        f"{where}: auth_type {auth_type!r} is not supported; choose one of {', '.join(AUTH_TYPES)}."
    )


def _base_url(where: str, connection: Connection) -> str | None:
    """The API base URL from host, port and schema, as the form, a JSON or a URI fills them.

    The form has the whole URL in ``host``; a URI ``bitbucket://login:token@127.0.0.1:8070/http`` has the protocol in
    ``schema``, as Airflow's HTTP connections do, and ``bitbucket://http://...@127.0.0.1:8070/2.0`` has the path there.
    """
    host, schema = _text(connection.host), _text(connection.schema).strip("/")
    if not host:
        return None
    if "://" not in host:
        protocol, schema = (schema, "") if schema in ("http", "https") else ("https", schema)
        host = f"{protocol}://{host}"
    try:
        url = urlsplit(host)
        authority = url.netloc if url.port or not connection.port else f"{url.netloc}:{connection.port}"
    except ValueError as error:
        raise BitbucketConfigurationError(f"{where}: host is no URL: {error}.") from None
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
        shown = "an address with credentials in it" if "@" in url.netloc else repr(host)
        raise BitbucketConfigurationError(
            f"{where}: host must be the API base URL, such as https://api.bitbucket.org/2.0, or empty; it is {shown}."
        )
    path = url.path.strip("/") or schema or "2.0"
    return f"{url.scheme}://{authority}/{path}"


def _text(value: Any) -> str:
    """A field as text; pasted credentials often end in a line break."""
    return "" if value is None else str(value).strip()
