"""Operators that commit files and propose changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_bitbucket.client import BitbucketClient, BitbucketConflictError, BitbucketNotFoundError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.files import BitbucketCommitFilesOperator, BitbucketProposeChangeOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.commits.graph import add_commit
from tests.airflow_home import TaskRun
from tests.operators.attempts import TaskInstance, attempt

SRC = "POST /repositories/{workspace}/{repo_slug}/src"
pytestmark = pytest.mark.airflow


@pytest.fixture
def client(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """The client of the task's connection."""
    return BitbucketHook().get_conn()


def commit(**parameters: Any) -> Any:
    """Run a task that commits files to ``api``."""
    return attempt(BitbucketCommitFilesOperator, **{"repository": "api", "message": "Change", **parameters})


def propose(task_instance: TaskInstance | None = None, **parameters: Any) -> Any:
    """Run a task that proposes a change of ``api``."""
    valid = {"repository": "api", "message": "Change\n\nWhy", "branch": "topic", "files": {"a.txt": "a"}}
    return attempt(BitbucketProposeChangeOperator, task_instance, **{**valid, **parameters})


def test_text_bytes_and_paths_are_committed_in_one_commit(
    bitbucket: BitbucketEmulator, client: BitbucketClient, tmp_path: Path
) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(b"\0\r\n")
    files = {
        "ä.txt": "ö\n",
        "raw.bin": b"\xff",
        "path.bin": local,
        "url.bin": {"path": f"file://{local}"},
        "run.sh": {"text": "true\n", "executable": True},
    }

    result = commit(files=files)

    assert [client.source.read("api", path) for path in files] == ["ö\n".encode(), b"\xff", b"\0\r\n", b"\0\r\n", b"true\n"]
    assert client.source.meta("api", "run.sh")["attributes"] == ["executable"]
    assert result["commit"] == client.refs.hash_of_branch("api", "main")
    assert result["url"] == f"{bitbucket.url}/acme/api/commits/{result['commit']}"
    assert (result["branch"], result["changed"]) == ("main", [*files])
    assert bitbucket.requests()[SRC] == 1


@pytest.mark.parametrize("text", ["limit: {{ 1 + 1 }}\n", "limit: 2\n", "{{ 'limit: 2' }}\n\n", "limit: 2"])
def test_a_rendered_file_keeps_the_line_break_at_its_end(
    bitbucket: BitbucketEmulator, client: BitbucketClient, run_task: Callable[..., TaskRun], text: str
) -> None:
    run = run_task(BitbucketCommitFilesOperator, repository="api", message="Change", files={"limits.yml": text})
    assert run.state == "success", run.error
    expected = text.replace("{{ 1 + 1 }}", "2").replace("{{ 'limit: 2' }}", "limit: 2")
    assert client.source.read("api", "limits.yml").decode() == expected


def test_nothing_is_committed_if_nothing_differs(bitbucket: BitbucketEmulator, client: BitbucketClient) -> None:
    before = commit(files={"a.txt": "a", "run.sh": {"text": "true", "executable": True}})["commit"]

    result = commit(files={"a.txt": "a", "run.sh": {"text": "true", "executable": True}}, delete=["none.txt"])

    assert (result["commit"], result["changed"]) == (before, [])
    assert bitbucket.requests()[SRC] == 1


def test_only_files_that_differ_are_sent(client: BitbucketClient) -> None:
    commit(files={"a.txt": "a", "b.txt": "b", "c.txt": "c"})

    assert commit(files={"a.txt": "a", "b.txt": "B"}, delete=["c.txt", "none.txt"])["changed"] == ["b.txt", "c.txt"]


def test_a_file_that_is_no_longer_executable_is_a_difference(client: BitbucketClient) -> None:
    commit(files={"run.sh": {"text": "true", "executable": True}})

    assert commit(files={"run.sh": "true"})["changed"] == ["run.sh"]
    assert client.source.meta("api", "run.sh")["attributes"] == []


def test_a_missing_branch_is_created_only_if_that_is_allowed(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketNotFoundError, match="create_branch"):
        commit(files={"a.txt": "a"}, branch="topic")

    commit(files={"a.txt": "a"}, branch="topic", create_branch=True)
    commit(files={"b.txt": "b"}, branch="next", create_branch=True, base="topic")

    assert client.source.read("api", "a.txt", "next") == b"a"


def test_a_new_branch_without_a_difference_is_not_created(client: BitbucketClient) -> None:
    result = commit(files={"README.md": client.source.read("api", "README.md")}, branch="topic", create_branch=True)

    assert result["branch"] is None
    assert [one["name"] for one in client.refs.branches("api")] == ["main"]


@contextmanager
def overtaken(bitbucket: BitbucketEmulator, times: int) -> Iterator[list[str]]:
    """Let another process commit to ``main`` before each of the first commits of a task arrives; yields its hashes."""
    theirs: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def send_second(self: Any, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if request.method == "POST" and str(request.url).endswith("/src") and len(theirs) < times:
            state = bitbucket.state
            repository, files = next(state.repositories()), {f"theirs{len(theirs)}.txt": b"x"}
            theirs.append(add_commit(state, repository, author=None, message="Theirs", branch="main", files=files).hash)
        return send(self, request, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", send_second)
        yield theirs


def test_a_lost_race_is_followed_by_a_commit_on_the_new_head(bitbucket: BitbucketEmulator, client: BitbucketClient) -> None:
    with overtaken(bitbucket, 2) as theirs:
        result = commit(files={"ours.txt": "x"})

    assert [one["hash"] for one in client.commits.get("api", result["commit"])["parents"]] == [theirs[-1]]
    assert {"theirs0.txt", "theirs1.txt", "ours.txt"} <= {str(one["path"]) for one in client.source.list("api")}


@pytest.fixture
def lost(bitbucket: BitbucketEmulator) -> Iterator[None]:
    """Lose the response to the next commit."""
    bitbucket.fault("lost_answer", method="POST", path="/src")
    yield
    bitbucket.clear_faults()


@pytest.mark.usefixtures("lost")
def test_after_a_lost_response_the_commit_of_the_task_is_returned(client: BitbucketClient) -> None:
    result = commit(files={"a.txt": "a"}, message="Lost")

    assert client.commits.get("api", result["commit"])["message"] == "Lost"


@pytest.mark.parametrize("setting", ["unchanged_commit_fails", "delete_of_missing_file_fails"])
def test_a_retry_succeeds_whether_bitbucket_refuses_needless_changes_or_not(
    bitbucket: BitbucketEmulator, client: BitbucketClient, setting: str
) -> None:
    bitbucket.settings(**{setting: True})
    for _ in range(2):
        commit(files={"a.txt": "a"}, delete=["src/module_0.py"])

    assert bitbucket.requests()[SRC] == 1


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"files": {}}, "no files to commit"),
        ({"files": {"../a": "x"}}, "path of a file"),
        ({"files": {"a.txt": "x"}, "delete": ["a.txt"]}, "named twice: a.txt"),
        ({"files": {"a.txt": ""}}, r"files\['a.txt'\] is ''"),
        ({"files": {"a.txt": None}}, r"files\['a.txt'\] is None"),
        ({"files": {"a.txt": {"a": 1}}}, r"files\['a.txt'\]"),
        ({"files": {"a.txt": {"path": "/x", "text": "x"}}}, r"files\['a.txt'\]"),
        ({"files": "a.txt"}, "files is 'a.txt'"),
        ({"message": " "}, "message"),
    ],
)
def test_malformed_parameters_are_named_before_a_request(
    bitbucket: BitbucketEmulator, parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        commit(**parameters)
    assert bitbucket.requests() == {}


def test_a_missing_local_file_is_named_before_a_request(bitbucket: BitbucketEmulator, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        commit(files={"a.txt": tmp_path / "none.txt"})
    assert bitbucket.requests() == {}


def test_a_branch_that_keeps_moving_is_a_conflict_in_the_end(bitbucket: BitbucketEmulator) -> None:
    with overtaken(bitbucket, 100), pytest.raises(BitbucketConflictError, match="not the head of main"):
        commit(files={"a.txt": "a"})
    assert bitbucket.requests()[SRC] == 10


def test_a_proposed_change_is_one_branch_one_commit_and_one_pull_request(client: BitbucketClient) -> None:
    task_instance = TaskInstance()

    result = propose(task_instance, reviewers=["robin.reviewer"])

    pull_request = client.pull_requests.get("api", result["pull_request"]["id"])
    assert (pull_request["title"], pull_request["destination"]["branch"]["name"]) == ("Change", "main")
    assert [one["hash"] for one in client.pull_requests.commits("api", pull_request["id"])] == [result["commit"]]
    assert task_instance.xcom["pull_request_url"] == result["pull_request"]["url"]


def test_the_same_task_twice_gives_one_pull_request(client: BitbucketClient) -> None:
    first = propose()
    second = propose()

    assert second["changed"] == []
    assert second["pull_request"]["id"] == first["pull_request"]["id"]
    assert len([*client.pull_requests.list("api")]) == 1


def test_another_content_updates_the_open_pull_request(client: BitbucketClient) -> None:
    first = propose()
    second = propose(files={"a.txt": "A"}, title="Better", destination="main")

    assert second["pull_request"]["id"] == first["pull_request"]["id"]
    assert client.pull_requests.get("api", first["pull_request"]["id"])["title"] == "Better"
    assert client.source.read("api", "a.txt", "topic") == b"A"


def test_nothing_is_proposed_after_the_change_was_merged(client: BitbucketClient) -> None:
    first = propose()
    client.pull_requests.merge("api", first["pull_request"]["id"])

    assert propose()["pull_request"] is None
    assert len([*client.pull_requests.list("api")]) == 1
