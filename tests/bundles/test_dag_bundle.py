"""Airflow reads DAGs from a repository on Bitbucket with the credentials of a connection, and leaves none on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.bundles.conftest import Bundle
from tests.git_directory import GitDirectory

AUTH_TYPES = ["api_token", "access_token", "oauth_client_credentials"]


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_a_bundle_loads_with_every_auth_type_that_needs_no_person(bundle: Bundle, auth_type: str) -> None:
    team = bundle(auth_type)
    team.initialize()
    assert (team.path / "hello.py").exists()


@pytest.mark.parametrize("auth_type", ["api_token_per_user", "oauth"])
def test_a_bundle_of_an_auth_type_of_people_is_refused(bundle: Bundle, auth_type: str) -> None:
    with pytest.raises(BitbucketConfigurationError, match=f"{auth_type}.*api_token, access_token or oauth_client_credentials"):
        bundle(auth_type)


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_no_file_of_a_bundle_contains_a_secret(
    bundle: Bundle, storage: Path, bitbucket_emulator: BitbucketEmulator, auth_type: str
) -> None:
    team = bundle(auth_type)
    team.initialize()
    team.refresh()
    secrets = [one.secret.encode() for one in bitbucket_emulator.state.credentials]
    files = [path for path in storage.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files for secret in secrets if secret in path.read_bytes()]


def test_a_refresh_brings_new_commits(bundle: Bundle, origin: GitDirectory) -> None:
    team = bundle()
    team.initialize()
    head = origin.commit(dags__hello_py="CHANGED = True\n")
    team.refresh()
    assert (team.path / "hello.py").read_text() == "CHANGED = True\n"
    assert str(getattr(team.get_current_version(), "version", team.get_current_version())) == head


def test_a_version_keeps_its_commit(bundle: Bundle, origin: GitDirectory) -> None:
    version = origin.git("rev-parse", "HEAD")
    origin.commit(dags__hello_py="CHANGED = True\n")
    team = bundle(version=version)
    team.initialize()
    assert "CHANGED" not in (team.path / "hello.py").read_text()


def test_a_refresh_after_the_token_expired_obtains_another(
    bundle: Bundle, origin: GitDirectory, bitbucket_emulator: BitbucketEmulator
) -> None:
    team = bundle("oauth_client_credentials")
    team.initialize()
    origin.commit(dags__hello_py="CHANGED = True\n")
    bitbucket_emulator.expire_access_tokens()
    team.refresh()
    assert "CHANGED" in (team.path / "hello.py").read_text()


def test_a_token_that_was_replaced_in_the_connection_is_used_by_the_next_refresh(
    bundle: Bundle, origin: GitDirectory, bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = bundle("access_token")
    team.initialize()
    origin.commit(dags__hello_py="CHANGED = True\n")
    bitbucket_emulator.credentials("workspace_access_token", "new-token", workspace="acme")
    bitbucket_emulator.revoke(bitbucket_emulator.access_token)
    connection = connection_json(bitbucket_emulator, "access_token").replace(bitbucket_emulator.access_token, "new-token")
    monkeypatch.setenv("AIRFLOW_CONN_BITBUCKET_DEFAULT", connection)
    team.refresh()
    assert "CHANGED" in (team.path / "hello.py").read_text()


def test_sparse_directories_are_the_only_ones_read(bundle: Bundle, origin: GitDirectory) -> None:
    origin.commit(dags__hello_py="", other__large_py="")
    team = bundle(sparse_dirs=["dags"])
    team.initialize()
    assert (team.path / "hello.py").exists()
    assert not (team.path.parent / "other").exists()


@pytest.mark.parametrize(
    "repository",
    [
        "api",
        "acme/api",
        "https://bitbucket.org/acme/api.git",
        "https://dana.demo@bitbucket.org/acme/api",
        "git@bitbucket.org:acme/api.git",
        "git@ssh.bitbucket.org:acme/api.git",
        "ssh://git@ssh.bitbucket.org/acme/api.git",
        "ssh://git@altssh.bitbucket.org:443/acme/api.git",
    ],
)
def test_the_link_to_the_source_is_a_page_of_bitbucket(
    bundle: Bundle, bitbucket_emulator: BitbucketEmulator, repository: str
) -> None:
    assert bundle(repository=repository).view_url_template() == f"{bitbucket_emulator.url}/acme/api/src/{{version}}/dags"
    assert bundle(repository=repository, subdir=None).view_url_template() == f"{bitbucket_emulator.url}/acme/api/src/{{version}}"


@pytest.mark.parametrize(
    "repository",
    ["", "a/b/c", "https://github.com/acme/api.git", "https://u:hunter2@example.org/acme/api", "../api", "acme/api?x"],
)
def test_a_repository_of_another_kind_is_refused_without_showing_a_password(bundle: Bundle, repository: str) -> None:
    with pytest.raises(ValueError, match=r"expected 'repository', 'workspace/repository' or a clone URL") as refused:
        bundle(repository=repository)
    assert "hunter2" not in str(refused.value)
