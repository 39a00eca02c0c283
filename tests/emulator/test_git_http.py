"""Git clones from the emulator as from Bitbucket, with the user names that Bitbucket takes and no others."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.git_directory import GitDirectory


@pytest.fixture
def served(bitbucket_emulator: BitbucketEmulator, tmp_path: Path) -> str:
    """The address of a repository with one commit."""
    (tmp_path / "origin").mkdir()
    directory = GitDirectory(tmp_path / "origin")
    directory.commit(dags__hello_py="HELLO = 1\n")
    return bitbucket_emulator.serve_git("acme/api", directory.path / ".git")


def clone(address: str, to: Path, user: str = "", password: str = "") -> subprocess.CompletedProcess[str]:
    userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return subprocess.run(
        ["git", "-c", "credential.helper=", "clone", "--quiet", address.replace("://", f"://{userinfo}"), str(to)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "HOME": str(to.parent)},
        check=False,
    )


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("x-bitbucket-api-token-auth", "demo-api-token"),
        ("dana.demo", "demo-api-token"),
        ("x-token-auth", "demo-access-token"),
    ],
)
def test_git_clones_with_the_user_name_of_the_token(served: str, tmp_path: Path, user: str, password: str) -> None:
    done = clone(served, tmp_path / "clone", user, password)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clone/dags/hello.py").read_text() == "HELLO = 1\n"


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("demo@example.com", "demo-api-token"),
        ("x-token-auth", "demo-api-token"),
        ("x-bitbucket-api-token-auth", "demo-access-token"),
        ("x-token-auth", "another-token"),
        ("", ""),
    ],
)
def test_git_is_refused_with_another_user_name_or_none(served: str, tmp_path: Path, user: str, password: str) -> None:
    done = clone(served, tmp_path / "clone", user, password)
    assert done.returncode
    assert "Authentication failed" in done.stderr or "could not read Username" in done.stderr


def test_a_token_without_a_repository_scope_does_not_clone(
    served: str, tmp_path: Path, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.credentials("workspace_access_token", "other", scopes=["pipeline"], workspace="acme")
    done = clone(served, tmp_path / "clone", "x-token-auth", "other")
    assert "403" in done.stderr
