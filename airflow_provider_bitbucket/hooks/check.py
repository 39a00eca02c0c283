"""What a connection is good for, in sentences and a table: behind the test button of the Airflow UI and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import BitbucketClient


def check_connection(client: BitbucketClient) -> tuple[bool, str]:
    """Try the credentials of a client. Costs two or three requests.

    :return: whether they work, and who they belong to, which workspace they reach, which scopes they have and a table of
        what that allows, for a person; nothing is raised
    """
    from airflow_provider_bitbucket.client import (
        BitbucketAuthError,
        BitbucketBaseUrlError,
        BitbucketConnectionError,
        BitbucketError,
        BitbucketRateLimitError,
    )

    check = _Check(client)
    try:
        return True, "\n".join([check.who(), check.workspace(), check.scopes()])
    except _Refused as refusal:
        return False, str(refusal)
    except BitbucketBaseUrlError as error:
        return False, error.message
    except BitbucketAuthError as error:
        return False, f"Bitbucket does not accept these credentials: {error.message}"
    except BitbucketConnectionError as error:
        return False, f"Bitbucket can not be reached at {client.base_url}: {error.message}"
    except BitbucketRateLimitError as error:
        return False, f"The connection can not be tested just now: {error.message}"
    except BitbucketError as error:
        return False, f"Bitbucket answered at {client.base_url}, but not as it should: {error}"
    except ValueError:
        return False, f"What answers at {client.base_url} is not the Bitbucket API; check the API base URL (host)."


def check_shared_part(connection: Connection, problem: str) -> tuple[bool, str]:
    """Try what a connection with credentials for each user has of its own, when there is no user to try it with.

    :param connection: of auth type ``api_token_per_user`` or ``oauth``
    :param problem: why there is no user
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_bitbucket.client import BitbucketError
    from airflow_provider_bitbucket.hooks.credentials.connection import auth_type_of, read_consumer

    if auth_type_of(connection) == "oauth":
        try:
            read_consumer(connection, on_secret=mask_secret).check()
        except BitbucketError as error:
            return False, error.message
    return True, f"The connection's own settings are good; what they reach depends on the user. {problem}"


class _Refused(Exception):
    """The connection does not work; the message says why."""


class _Check:
    def __init__(self, client: BitbucketClient) -> None:
        self._client = client
        self._scopes: frozenset[str] | None = None

    def who(self) -> str:
        from airflow_provider_bitbucket.client import (
            BASE_URL,
            BitbucketBaseUrlError,
            BitbucketNotFoundError,
            BitbucketPermissionError,
        )

        try:
            account = self._get("/user")
        except BitbucketBaseUrlError:
            raise
        except BitbucketNotFoundError as error:  # Bitbucket Cloud has it for all credentials
            raise _Refused(
                f"What answers at {self._client.base_url} is not the Bitbucket API; check the API base URL (host). It is "
                f"{BASE_URL} for Bitbucket Cloud. The answer was: {error.message}"
            ) from error
        except BitbucketPermissionError:
            # Access tokens are nobody's, and API tokens may lack the scope: both can be good for all else.
            return f"The {self._client.auth.kind} works; Bitbucket does not tell whose it is."
        if name := _text_of(account, "display_name", "nickname", "uuid"):
            return f"Connected as {name}."
        raise ValueError("an account without a name")

    def workspace(self) -> str:
        from airflow_provider_bitbucket.client import BitbucketGoneError, BitbucketNotFoundError, BitbucketPermissionError

        workspace = self._client.workspace
        if not workspace:
            return "No workspace is set: fill it in here, or name it in every task (workspace=..., or 'workspace/repository')."
        refusals = (BitbucketPermissionError, BitbucketNotFoundError, BitbucketGoneError)
        try:
            return f"Workspace: {_text_of(self._get(self._client.workspace_path()), 'name') or workspace}."
        except refusals:
            pass  # repository access tokens and tokens without the workspace scope may still reach the repositories
        try:
            self._get(self._client.workspace_path().replace("/workspaces/", "/repositories/", 1), {"pagelen": 1})
        except refusals as error:
            if isinstance(error, BitbucketPermissionError) and error.required:
                # Good for pipelines alone, say: no reason to call the connection broken.
                return f"Workspace: {workspace}; with these scopes it can not be told whether it is there."
            if isinstance(error, BitbucketPermissionError) and error.is_ip_restricted:
                raise _Refused(f"The credentials are good, but not from this machine: {error.message}") from error
            raise _Refused(
                f"The credentials are good, but workspace {workspace!r} does not exist or they have no access to it: "
                f"{error.message}"
            ) from error
        return f"Workspace: {workspace}."

    def scopes(self) -> str:
        from airflow_provider_bitbucket.client.auth import scope_table

        return scope_table.text(self._scopes)

    def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        from airflow_provider_bitbucket.client import BitbucketPermissionError
        from airflow_provider_bitbucket.client.transport.scopes import parse

        try:
            response = self._client.request("GET", path, params=params)
        except BitbucketPermissionError as refusal:
            self._scopes = refusal.granted if refusal.granted is not None else self._scopes
            raise
        if "X-OAuth-Scopes" in response.headers:
            self._scopes = parse(response.headers["X-OAuth-Scopes"])
        body = response.json()
        if not isinstance(body, dict):
            raise ValueError("not an object")  # noqa: TRY004 - like what is no JSON at all: not Bitbucket
        return body


def _text_of(account: dict[str, Any], *fields: str) -> str:
    """Return the first of some fields that is a text with something in it, on one line; empty if there is none."""
    from airflow_provider_bitbucket.client.transport.text import one_line

    texts = (value for value in map(account.get, fields) if isinstance(value, str))
    return next((shown for text in texts if (shown := one_line(text))), "")
