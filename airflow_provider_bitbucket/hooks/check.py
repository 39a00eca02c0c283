"""Check what a connection can be used for: for the test button of the Airflow UI and ``airflow bitbucket check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import BitbucketClient


@dataclass(frozen=True)
class CheckResult:
    """Whether a connection works.

    :param works: whether Bitbucket accepts the credentials
    :param message: one line with account, workspace and available features, followed by lines with what is missing; or the error
    :param table: the granted scopes and every feature with the scopes it needs; empty if the credentials do not work
    """

    works: bool
    message: str
    table: str = ""


def check_connection(client: BitbucketClient) -> CheckResult:
    """Check the credentials of a client. Costs two or three requests; nothing is raised."""
    from airflow_provider_bitbucket.client import (
        BitbucketAuthError,
        BitbucketBaseUrlError,
        BitbucketConnectionError,
        BitbucketError,
        BitbucketRateLimitError,
    )

    try:
        return _Check(client).run()
    except _Refused as refusal:
        return CheckResult(False, str(refusal))
    except BitbucketBaseUrlError as error:
        return CheckResult(False, error.message)
    except BitbucketAuthError as error:
        return CheckResult(False, f"Bitbucket does not accept these credentials: {error.message}")
    except BitbucketConnectionError as error:
        return CheckResult(False, f"Bitbucket cannot be reached at {client.base_url}: {error.message}")
    except BitbucketRateLimitError as error:
        return CheckResult(False, f"The connection cannot be tested now: {error.message}")
    except BitbucketError as error:
        return CheckResult(False, f"Unexpected response from {client.base_url}: {error}")
    except ValueError:
        return CheckResult(False, f"The server at {client.base_url} is not the Bitbucket API; check the API base URL (host).")


def check_shared_part(connection: Connection, problem: str) -> CheckResult:
    """Check the settings of a connection with credentials for each user, if there is no user to check.

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
            return CheckResult(False, error.message)
    return CheckResult(True, f"The settings of the connection are valid; access depends on the user. {problem}")


class _Refused(Exception):
    """The connection does not work; the message gives the reason."""


class _Check:
    def __init__(self, client: BitbucketClient) -> None:
        self._client = client
        self._scopes: frozenset[str] | None = None
        self._hints: list[str] = []

    def run(self) -> CheckResult:
        from airflow_provider_bitbucket.client.auth import scope_table

        account, workspace = self._account(), self._workspace()
        features, missing = scope_table.summary(self._scopes)
        lines = [f"Connected {account}, {workspace}; {features}.", *self._hints, *missing]
        return CheckResult(True, "\n".join(lines), scope_table.table(self._scopes))

    def _account(self) -> str:
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
        except BitbucketNotFoundError as error:  # Bitbucket Cloud has this path for all credentials
            raise _Refused(
                f"The server at {self._client.base_url} is not the Bitbucket API; check the API base URL (host). It is "
                f"{BASE_URL} for Bitbucket Cloud. The response was: {error.message}"
            ) from error
        except BitbucketPermissionError:
            # Access tokens belong to no account, and API tokens may lack the scope: both can have other scopes.
            return f"by {self._client.auth.kind} (Bitbucket does not report the account)"
        if name := _first_text(account, "display_name", "nickname", "uuid"):
            return f"as {name}"
        raise ValueError("an account without a name")

    def _workspace(self) -> str:
        from airflow_provider_bitbucket.client import BitbucketGoneError, BitbucketNotFoundError, BitbucketPermissionError

        workspace = self._client.workspace
        if not workspace:
            self._hints.append("Fill in the workspace, or name it in every task (workspace=..., or 'workspace/repository').")
            return "no workspace"
        refusals = (BitbucketPermissionError, BitbucketNotFoundError, BitbucketGoneError)
        try:
            return f"workspace {_first_text(self._get(self._client.workspace_path()), 'name') or workspace}"
        except refusals:
            pass  # repository access tokens and tokens without the workspace scope may still reach the repositories
        try:
            self._get(self._client.workspace_path().replace("/workspaces/", "/repositories/", 1), {"pagelen": 1})
        except refusals as error:
            if isinstance(error, BitbucketPermissionError) and error.required:
                # Credentials with the scopes of pipelines alone are valid.
                return f"workspace {workspace} (these scopes do not allow to check that it exists)"
            if isinstance(error, BitbucketPermissionError) and error.is_ip_restricted:
                raise _Refused(f"The credentials are good, but not from this machine: {error.message}") from error
            raise _Refused(
                f"The credentials are good, but workspace {workspace!r} does not exist or they have no access to it: "
                f"{error.message}"
            ) from error
        return f"workspace {workspace}"

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
            raise ValueError("not an object")  # noqa: TRY004 - handled like a body that is not JSON: not Bitbucket
        return body


def _first_text(account: dict[str, Any], *fields: str) -> str:
    """Return the first field that is a text and not blank, on one line; empty if there is none."""
    from airflow_provider_bitbucket.client.transport.text import one_line

    texts = (value for value in map(account.get, fields) if isinstance(value, str))
    return next((shown for text in texts if (shown := one_line(text))), "")
