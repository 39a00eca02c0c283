"""Operators that create and delete branches, tags and repositories, and upload downloads."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client import (
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketNotFoundError,
)
from airflow_provider_bitbucket.exceptions import BitbucketRefExistsError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.downloads import BitbucketUploadDownloadOperator
from airflow_provider_bitbucket.operators.refs import (
    BitbucketCreateBranchOperator,
    BitbucketCreateTagOperator,
    BitbucketDeleteBranchOperator,
    BitbucketDeleteTagOperator,
)
from airflow_provider_bitbucket.operators.repository_changes import (
    BitbucketCreateRepositoryOperator,
    BitbucketDeleteRepositoryOperator,
    BitbucketForkRepositoryOperator,
)
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.attempts import attempt

pytestmark = pytest.mark.airflow


@pytest.fixture
def client(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """The client of the task's connection."""
    return BitbucketHook().get_conn()


def test_a_branch_starts_at_a_branch_a_tag_or_a_short_hash(client: BitbucketClient) -> None:
    head = client.refs.hash_of_branch("api", "main")
    client.refs.create_tag("api", "release/1", head)

    made = [
        attempt(BitbucketCreateBranchOperator, repository="api", branch=f"from/{number}", target=target)
        for number, target in enumerate(["main", "release/1", head[:12], head])
    ]

    assert [one["commit"] for one in made] == [head] * 4
    assert made[0]["url"].endswith("/acme/api/branch/from/0")


def test_a_branch_that_has_moved_since_it_was_created_is_left_alone(client: BitbucketClient) -> None:
    parent = client.commits.get("api", "main")["parents"][0]["hash"]
    client.refs.create_branch("api", "topic", parent)

    assert attempt(BitbucketCreateBranchOperator, repository="api", branch="topic", target="main")["commit"] == parent


def test_an_unknown_target_and_a_malformed_name_fail(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketNotFoundError):
        attempt(BitbucketCreateBranchOperator, repository="api", branch="topic", target="none")
    with pytest.raises(BitbucketBadRequestError, match="not a valid name"):
        attempt(BitbucketCreateBranchOperator, repository="api", branch="a b", target="main")


def test_a_tag_on_another_commit_is_not_moved(client: BitbucketClient) -> None:
    parent = client.commits.get("api", "main")["parents"][0]["hash"]
    client.refs.create_tag("api", "v1", parent)

    with pytest.raises(BitbucketRefExistsError, match="Tags do not move"):
        attempt(BitbucketCreateTagOperator, repository="api", tag="v1", target="main")
    assert attempt(BitbucketCreateTagOperator, repository="api", tag="v1", target=parent)["commit"] == parent


def test_deleting_twice_is_no_error_but_in_an_unknown_repository_it_is(client: BitbucketClient) -> None:
    client.refs.create_branch("api", "old", client.refs.hash_of_branch("api", "main"))
    client.refs.create_tag("api", "v1", client.refs.hash_of_branch("api", "main"))

    branches = [attempt(BitbucketDeleteBranchOperator, repository="api", branch="old") for _ in range(2)]
    tags = [attempt(BitbucketDeleteTagOperator, repository="api", tag="v1") for _ in range(2)]

    assert branches == tags == [True, False]
    with pytest.raises(BitbucketNotFoundError):
        attempt(BitbucketDeleteBranchOperator, repository="none", branch="old")
    with pytest.raises(BitbucketBadRequestError, match="main branch"):
        attempt(BitbucketDeleteBranchOperator, repository="api", branch="main")


def test_a_repository_that_exists_is_left_as_it_is(client: BitbucketClient) -> None:
    made = [
        attempt(BitbucketCreateRepositoryOperator, repository="shop", project="ACME", description=text)
        for text in ("Shop", "Other")
    ]

    assert made[0] == made[1]
    assert client.repositories.get("shop")["description"] == "Shop"


def test_a_fork_is_not_mistaken_for_another_repository_of_its_name(client: BitbucketClient) -> None:
    client.repositories.create("fork")

    with pytest.raises(BitbucketBadRequestError, match="already exists"):
        attempt(BitbucketForkRepositoryOperator, repository="api", name="fork")
    assert attempt(BitbucketForkRepositoryOperator, repository="api", name="API fork")["full_name"] == "acme/api-fork"


@pytest.mark.parametrize("flag", [{}, {"allow_delete": False}, {"allow_delete": "True"}, {"allow_delete": 1}])
def test_a_repository_is_deleted_only_with_the_explicit_flag(client: BitbucketClient, flag: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="allow_delete"):
        attempt(BitbucketDeleteRepositoryOperator, repository="api", **flag)
    assert client.repositories.get("api")["slug"] == "api"


def test_a_renamed_repository_is_not_deleted_by_its_old_name(client: BitbucketClient) -> None:
    client.repositories.create("old")
    client.repositories.update("old", name="new")

    with pytest.raises(Exception, match="moved"):
        attempt(BitbucketDeleteRepositoryOperator, repository="old", allow_delete=True)
    assert client.repositories.get("new")["slug"] == "new"


def test_uploaded_files_are_found_at_the_returned_addresses(bitbucket: BitbucketEmulator, client: BitbucketClient) -> None:
    result = attempt(BitbucketUploadDownloadOperator, repository="api", files={"a b.csv": "1\n", "c.bin": b"\xff"})

    assert result == {
        "a b.csv": f"{bitbucket.url}/acme/api/downloads/a%20b.csv",
        "c.bin": f"{bitbucket.url}/acme/api/downloads/c.bin",
    }
    assert b"".join(client.downloads.read("api", "a b.csv")) == b"1\n"
