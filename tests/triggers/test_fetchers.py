"""How few requests many waits of a kind in a repository need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_bitbucket.client import NO_RETRIES, BitbucketNotFoundError
from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger, BuildStatusFetcher
from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger, DeploymentFetcher
from airflow_provider_bitbucket.triggers.fetching import batches
from airflow_provider_bitbucket.triggers.poller import StatusFetcher
from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger, PullRequestFetcher
from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger, RefFetcher
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import client_of, deploy, open_pull_request, requested, set_status
from tests.triggers.quick import QuickBuildStatusTrigger, QuickDeploymentTrigger, QuickPullRequestTrigger, QuickRefTrigger
from tests.triggers.waits import LATER, until

COMMON = {"bitbucket_conn_id": "bitbucket_default", "workspace": None, "repository": "acme/api", "deadline": LATER}


def made(kind: type[BitbucketWaitTrigger], /, **own: Any) -> BitbucketWaitTrigger:
    """A trigger that polls often."""
    return kind(**{**COMMON, "poll_interval": 0.5, **own})


def fetched(fetcher: StatusFetcher, due: Collection[str], waiting: Collection[str] | None = None) -> dict[str, Any]:
    """Fetch once and return the answers."""
    answers: dict[str, Any] = {}
    for _, step in fetcher.fetch([*due], frozenset(waiting or due)):
        answers.update(step)
    return answers


def fetcher_of(kind: type[StatusFetcher], bitbucket: BitbucketEmulator) -> StatusFetcher:
    """A fetcher of ``api``, whose creation sent no request."""
    fetcher = kind(client_of(bitbucket, retries=NO_RETRIES), "api")
    bitbucket.reset_requests()
    return fetcher


def pull_requests(bitbucket: BitbucketEmulator) -> list[BitbucketWaitTrigger]:
    return [made(QuickPullRequestTrigger, pull_request=open_pull_request(bitbucket), states=["MERGED"]) for _ in range(100)]


def refs(bitbucket: BitbucketEmulator) -> list[BitbucketWaitTrigger]:
    return [made(QuickRefTrigger, kind="tag", name=f"v{number}") for number in range(100)]


def build_statuses(bitbucket: BitbucketEmulator) -> list[BitbucketWaitTrigger]:
    head = client_of(bitbucket).refs.branch("api", "main")["target"]["hash"]
    for number in range(50):
        body = {"name": f"feature/{number}", "target": {"hash": head}}
        client_of(bitbucket).post("/repositories/acme/api/refs/branches", body)
    set_status(bitbucket, "main", "test", "INPROGRESS")
    by_branch = [made(QuickBuildStatusTrigger, branch=f"feature/{number}") for number in range(50)]
    return [*by_branch, *(made(QuickBuildStatusTrigger, commit=head, keys=[f"k{number}"]) for number in range(50))]


def deployments(bitbucket: BitbucketEmulator) -> list[BitbucketWaitTrigger]:
    deploy(bitbucket)
    return [made(QuickDeploymentTrigger, environment="production", pipeline=str(number)) for number in range(2, 102)]


@pytest.mark.parametrize(
    ("story", "requests_a_round"),
    [(pull_requests, 2), (refs, 2), (build_statuses, 3), (deployments, 1)],
    ids=["pull_requests", "refs", "build_statuses", "deployments"],
)
def test_a_hundred_waits_of_a_kind_in_a_repository_share_their_requests(
    bitbucket: BitbucketEmulator, story: Callable[[BitbucketEmulator], list[BitbucketWaitTrigger]], requests_a_round: int
) -> None:
    triggers = story(bitbucket)
    bitbucket.reset_requests()

    async def scene() -> None:
        async def fire(trigger: BitbucketWaitTrigger) -> None:
            async for _ in trigger.run():
                raise AssertionError("nothing has happened")

        tasks = [asyncio.create_task(fire(trigger)) for trigger in triggers]
        await until(lambda: sum(bitbucket.requests().values()) >= 12 * requests_a_round)  # all poll together
        bitbucket.reset_requests()
        started = time.monotonic()
        await until(lambda: sum(bitbucket.requests().values()) >= 4 * requests_a_round)
        rounds = (time.monotonic() - started) / 0.5 + 2  # one at each end
        assert sum(bitbucket.requests().values()) <= 1.5 * requests_a_round * rounds, requested(bitbucket)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "trigger",
    [
        made(BitbucketPullRequestTrigger, pull_request=1, states=("MERGED", "OPEN")),
        made(BitbucketRefTrigger, kind="tag", name="v1", commit="abcdef1", last_reported="There is no tag.", run_as="robin"),
        made(BitbucketBuildStatusTrigger, branch="main", keys=("a", "b")),
        made(BitbucketDeploymentTrigger, environment="production", pipeline="7"),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_a_trigger_survives_the_way_to_the_triggerer(trigger: BitbucketWaitTrigger) -> None:
    classpath, kwargs = trigger.serialize()
    module, _, name = classpath.rpartition(".")
    arrived = getattr(import_module(module), name)(**deserialize(serialize(kwargs)))

    assert arrived.serialize() == (classpath, kwargs)
    assert arrived.subject == trigger.subject


def test_a_single_pull_request_gets_a_request_of_its_own_and_a_missing_one_is_an_answer(bitbucket: BitbucketEmulator) -> None:
    for _ in range(3):
        open_pull_request(bitbucket)
    fetcher = fetcher_of(PullRequestFetcher, bitbucket)

    assert fetched(fetcher, ["2"])["2"]["state"] == "OPEN"
    assert isinstance(fetched(fetcher, ["99"])["99"], BitbucketNotFoundError)
    assert requested(bitbucket) == {"pullrequests/{pull_request_id}": 2}
    bitbucket.reset_requests()
    answers = fetched(fetcher, ["1", "99"], ["1", "2", "3", "99"])
    assert {number: getattr(row, "status", None) or row["state"] for number, row in answers.items()} == {
        "1": "OPEN",
        "2": "OPEN",
        "3": "OPEN",
        "99": 404,
    }
    assert requested(bitbucket) == {"pullrequests": 1, "pullrequests/{pull_request_id}": 1}


def test_pull_requests_of_every_state_are_seen_in_the_list(bitbucket: BitbucketEmulator) -> None:
    for ends in ("merge", "decline"):
        open_pull_request(bitbucket, (1, ends, "dana.demo"))
    open_pull_request(bitbucket)

    answers = fetched(fetcher_of(PullRequestFetcher, bitbucket), ["1", "2", "3"])
    assert {number: row["state"] for number, row in answers.items()} == {"1": "MERGED", "2": "DECLINED", "3": "OPEN"}


def test_a_name_cannot_change_the_query(bitbucket: BitbucketEmulator) -> None:
    answers = fetched(fetcher_of(RefFetcher, bitbucket), ["branch/main", 'branch/" OR name ~ "', "tag/main"])

    assert answers["branch/main"]["name"] == "main"
    assert answers['branch/" OR name ~ "'] is None
    assert answers["tag/main"] is None


def test_a_missing_repository_is_not_a_missing_branch(bitbucket: BitbucketEmulator) -> None:
    fetcher = RefFetcher(client_of(bitbucket), "nowhere")
    with pytest.raises(BitbucketNotFoundError):
        fetched(fetcher, ["branch/main"])


def test_long_names_are_spread_over_several_addresses() -> None:
    names = [f"branch/{'x' * 250}{number}" for number in range(20)]
    cut = [*batches(names[:9], names, 50)]

    assert all(sum(map(len, one)) <= 2000 for one in cut)
    assert [name for one in cut for name in one][:9] == names[:9]
    assert [*batches(["b", "a"], ["c", "a", "b"], 50)] == [["b", "a", "c"]]
    assert [*batches([], ["c"], 50)] == []


def test_a_branch_that_moves_is_evaluated_by_its_new_head(bitbucket: BitbucketEmulator) -> None:
    trigger = made(BitbucketBuildStatusTrigger, branch="main")
    fetcher = fetcher_of(BuildStatusFetcher, bitbucket)
    set_status(bitbucket, "main", "test", "FAILED")

    assert trigger.evaluate(fetched(fetcher, [trigger.subject])[trigger.subject]).verdict == "failed"
    open_pull_request(bitbucket, (1, "merge", "dana.demo"))
    state = trigger.evaluate(fetched(fetcher, [trigger.subject])[trigger.subject])
    assert state.verdict is None
    assert state.message.startswith("There is no build status of commit")


def test_named_statuses_are_required_and_others_do_not_count(bitbucket: BitbucketEmulator) -> None:
    set_status(bitbucket, "main", "lint", "FAILED")
    set_status(bitbucket, "main", "test", "SUCCESSFUL")
    fetcher = fetcher_of(BuildStatusFetcher, bitbucket)

    def verdict(*keys: str) -> str | None:
        trigger = made(BitbucketBuildStatusTrigger, branch="main", keys=keys)
        return trigger.evaluate(fetched(fetcher, [trigger.subject])[trigger.subject]).verdict

    assert [verdict("test"), verdict("test", "scan"), verdict("lint", "scan")] == ["succeeded", None, "failed"]


def test_a_ref_is_waited_for_until_it_points_to_the_commit_that_is_expected() -> None:
    def verdict(**wanted: str) -> str | None:
        trigger = made(BitbucketRefTrigger, kind="branch", name="main", **wanted)
        return trigger.evaluate({"name": "main", "target": {"hash": "abcdef1234"}}).verdict

    assert verdict() == "succeeded"
    assert verdict(commit="abcdef1") == "succeeded"
    assert verdict(commit="1234567") is None
    assert verdict(moved_from="abcdef1") is None
    assert verdict(moved_from="1234567") == "succeeded"


def runs(bitbucket: BitbucketEmulator, times: int) -> None:
    """Deploy to test and production so many times."""
    for _ in range(times):
        deploy(bitbucket)


def deployment_of(pipeline: int, environment: str = "production") -> str:
    return made(BitbucketDeploymentTrigger, environment=environment, pipeline=str(pipeline)).subject


def test_an_old_deployment_is_found_and_costs_one_page_the_next_time(bitbucket: BitbucketEmulator) -> None:
    runs(bitbucket, 51)
    old, young, never = deployment_of(1), deployment_of(51, "test"), deployment_of(99)
    fetcher = fetcher_of(DeploymentFetcher, bitbucket)
    answers = fetched(fetcher, [old, young, never])

    assert (answers[old]["release"]["name"], answers[young]["release"]["name"], answers[never]) == ("#1", "#51", None)
    assert requested(bitbucket) == {"environments": 1, "deployments": 2}
    bitbucket.reset_requests()
    assert fetched(fetcher, [young, never], [old, young, never]).keys() == {young, never}
    assert requested(bitbucket) == {"deployments": 1}
    bitbucket.reset_requests()
    assert fetched(fetcher, [old])[old]["release"]["name"] == "#1"
    assert requested(bitbucket) == {"deployments": 1, "deployments/{deployment_uuid}": 1}


def test_a_run_that_never_deploys_does_not_hide_one_that_did(bitbucket: BitbucketEmulator) -> None:
    deploy(bitbucket)
    deploy(bitbucket, manual=True)
    head = client_of(bitbucket).refs.branch("api", "main")["target"]["hash"]
    trigger = made(BitbucketDeploymentTrigger, environment="production", commit=head)
    fetcher = fetcher_of(DeploymentFetcher, bitbucket)

    state = trigger.evaluate(fetched(fetcher, [trigger.subject])[trigger.subject])
    assert (state.verdict, state.found["build_number"]) == ("succeeded", 1)
    waiting = made(BitbucketDeploymentTrigger, environment="production", pipeline="2")
    state = waiting.evaluate(fetched(fetcher, [waiting.subject])[waiting.subject])
    assert (state.verdict, state.message) == (None, "The deployment of pipeline 2 to production has not begun.")


def test_an_environment_is_known_by_name_slug_and_uuid(bitbucket: BitbucketEmulator) -> None:
    deploy(bitbucket)
    environment = next(one for one in client_of(bitbucket).environments.list("api") if one["slug"] == "production")
    subjects = [deployment_of(1, environment[by]) for by in ("name", "slug", "uuid")]
    answers = fetched(fetcher_of(DeploymentFetcher, bitbucket), subjects)

    assert {answers[subject]["release"]["name"] for subject in subjects} == {"#1"}
    unknown = deployment_of(1, "moon")
    error = fetched(fetcher_of(DeploymentFetcher, bitbucket), [unknown])[unknown]
    assert "There is no environment 'moon' in acme/api; there are: " in str(error)
    assert environment["name"] in str(error)
