"""Credentials are authenticated and authorised as on Bitbucket, with the same errors."""

from __future__ import annotations

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"


def test_an_api_token_is_accepted_as_basic_authentication_and_its_scopes_are_reported(call: Call) -> None:
    answer = call("/user")
    assert answer.json()["display_name"] == "Dana Demo"
    assert answer.headers["X-Credential-Type"] == "api_token"
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "read:user:bitbucket"
    assert "read:pipeline:bitbucket" in answer.headers["X-OAuth-Scopes"]


def test_an_api_token_as_bearer_token_is_refused_with_the_message_of_bitbucket(call: Call) -> None:
    answer = call("/user", token="demo-api-token")
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Token is invalid, expired, or not supported for this endpoint."


@pytest.mark.parametrize(
    "auth", [("demo@example.com", "wrong"), ("unknown@example.com", "demo-api-token"), ("demo-access-token", "")]
)
def test_wrong_basic_credentials_are_answered_with_plain_text(call: Call, auth: tuple[str, str]) -> None:
    answer = call("/user", auth=auth)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Bitbucket.org HTTP"'
    assert answer.text.count("\n") > 1


def test_anonymous_requests_to_private_repositories_are_refused_with_their_remaining_quota(call: Call) -> None:
    answer = call(API, auth=None)
    assert answer.status_code == 401
    assert answer.headers["X-Credential-Type"] == "unauthenticated_identity"
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "read:repository:bitbucket"
    assert answer.headers["X-Ratelimit-Remaining"] == "59"
    assert answer.headers["X-Ratelimit-Reset"] == "3600"


def test_an_access_token_is_refused_at_user_but_reads_the_workspace(call: Call) -> None:
    refused = call("/user", token="demo-access-token")
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "This API is not accessible by this authentication mechanism."
    assert call("/workspaces/acme", token="demo-access-token").status_code == 200


def test_the_rate_limit_is_reported_to_access_tokens_only(call: Call) -> None:
    limits = call(API, token="demo-access-token").headers
    assert (limits["X-RateLimit-Limit"], limits["X-RateLimit-Resource"], limits["X-RateLimit-NearLimit"]) == (
        "1000",
        "api",
        "false",
    )
    assert "X-RateLimit-Limit" not in call(API).headers


def test_a_repository_token_reaches_its_repository_only(call: Call) -> None:
    call("/repositories/acme/other", method="POST", json={})
    assert call(API, token="demo-repository-token").status_code == 200
    hidden = call("/repositories/acme/other", token="demo-repository-token")
    assert hidden.status_code == 404
    assert "either does not exist or you do not have access" in hidden.json()["error"]["message"]
    names = [one["slug"] for one in call("/repositories/acme", token="demo-repository-token").json()["values"]]
    assert names == ["api"]


def test_a_missing_scope_is_named_with_those_that_are_granted(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.credentials("api_token", "small", login="s@x.org", scopes=["read:user:bitbucket"])
    answer = call(f"{API}/pipelines", auth=("s@x.org", "small"))
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "message": "Your credentials lack one or more required privilege scopes.",
        "detail": {"required": ["read:pipeline:bitbucket"], "granted": ["read:user:bitbucket"]},
    }


def test_scopes_of_api_tokens_include_no_others(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.credentials("api_token", "writer", login="w@x.org", scopes=["write:repository:bitbucket"])
    assert call(API, auth=("w@x.org", "writer")).status_code == 403


@pytest.mark.parametrize(
    ("scope", "path", "allowed"),
    [
        ("repository", API, True),
        ("repository:write", API, True),
        ("pullrequest", API, True),
        ("project", API, True),
        ("repository:admin", API, False),
        ("repository:delete", API, False),
        ("pipeline:write", f"{API}/pipelines", True),
        ("pipeline:variable", f"{API}/pipelines", True),
        ("pipeline", API, False),
        ("account", "/user", True),
        ("account:write", "/user", True),
    ],
)
def test_legacy_oauth_scopes_include_the_documented_ones(
    bitbucket_emulator: BitbucketEmulator, call: Call, scope: str, path: str, allowed: bool
) -> None:
    bitbucket_emulator.credentials("oauth2", "legacy", scopes=[scope])
    assert (call(path, token="legacy").status_code == 200) is allowed


def test_a_revoked_token_is_refused_at_the_next_request(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.revoke("demo-api-token")
    bitbucket_emulator.revoke("demo-access-token")
    assert call("/user").status_code == 401
    assert call(API, token="demo-access-token").status_code == 401


def test_an_access_token_expires_by_the_clock(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.credentials("workspace_access_token", "short", expires_on="2026-11-02T09:00:00+00:00")
    assert call(API, token="short").status_code == 200
    bitbucket_emulator.clock(advance=3600)
    assert call(API, token="short").json()["error"]["message"].startswith("Token is invalid, expired")


def test_an_inaccessible_workspace_is_forbidden_and_a_missing_repository_not_found(call: Call) -> None:
    assert call("/workspaces/elsewhere").status_code == 403
    assert call("/repositories/elsewhere").status_code == 403
    assert call("/repositories/acme/nothing").status_code == 404
    assert call("/repositories/elsewhere/api").status_code == 404


@pytest.mark.parametrize(
    "path", ["commits", "commits/main", "commit/abcdef1", "pullrequests/activity", "pullrequests/1/activity"]
)
def test_some_paths_answer_a_missing_repository_with_an_html_page_as_on_bitbucket(call: Call, path: str) -> None:
    answer = call(f"/repositories/acme/nothing/{path}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert 20_000 < len(answer.content) < 30_000


def test_a_path_without_version_is_forbidden_and_an_unknown_one_not_found(
    bitbucket_emulator: BitbucketEmulator, call: Call
) -> None:
    refused = call(f"{bitbucket_emulator.url}/user")
    assert (refused.status_code, refused.json()) == (403, {"type": "error", "error": {"message": "Forbidden"}})
    assert call("/no/such/thing").json()["error"]["message"] == "Resource not found"


@pytest.mark.parametrize(
    ("path", "change"),
    [("/repositories", "2770"), ("/workspaces", "2770"), ("/user/permissions/workspaces", "2770"), (f"{API}/issues", "3071")],
)
def test_removed_endpoints_are_gone_with_a_link_to_the_announcement(call: Call, path: str, change: str) -> None:
    link = f"https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-{change}"
    answer = call(path)
    assert answer.status_code == 410
    assert answer.text == (
        f'{{"type": "error", "error": {{"message": "CHANGE-{change} - Functionality has been deprecated", '
        f'"detail": "Please read the changelog entry for more details.", "data": {{"announcement_url": "{link}"}}}}, '
        f'"data": {{"announcement_url": "{link}"}}}}'
    )
