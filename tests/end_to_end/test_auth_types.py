"""Every auth type works in a real Airflow: example DAGs succeed as the right user, and no secret is leaked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import wait_until
from tests.end_to_end.auth_types import (
    AIRFLOW_COMMAND,
    AUTH_TYPES,
    COMMAND,
    PEOPLE,
    PER_USER,
    SECURED,
    SHARED,
    Site,
    conn_id,
    leaks,
    site,
)

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(400)]

PIPELINES, RELEASE, REPORT = (f"example_bitbucket_{name}" for name in ("trigger_pipeline", "release", "pull_request_report"))
KEEP_LOGINS = "example_bitbucket_keep_logins"
#: These run with every auth type. The report runs with one: it needs the same scopes as the release, and takes long.
EXAMPLES = (PIPELINES, RELEASE)
CANARY = "not-a-secret-but-searched-for"
#: The acting user of shared credentials; for the other types it is the user who triggered the run.
ACTORS = {"api_token": "dana.demo", "access_token": "acme.access.token", "oauth_client_credentials": "acme.oauth.consumer"}
#: LONG is 10 real seconds: a pipeline is still running at the first poll, even on a busy machine, and completed soon after.
SPEED, LONG = 30, 300
LOG = "connecting ...\nno space left on device"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All runs of this module, executed concurrently because a real Airflow takes seconds for each step."""
    folder = tmp_path_factory.mktemp("auth-types")
    with BitbucketEmulator("demo", speed=SPEED) as bitbucket, site(bitbucket, folder / "airflow") as running:
        for custom in ("deploy-staging", "deploy-production"):
            bitbucket.script("api", custom, steps=[{"name": "Deploy", "seconds": LONG}])
        failing = {"name": "Deploy", "seconds": LONG, "result": "FAILED", "log": LOG}
        bitbucket.script("api", "broken", steps=[failing])
        until_finished = {"steps": {"Deploy": {"seconds": 36000, "result": None}}}
        for auth_type in PER_USER:
            outcomes = [until_finished if auth_type == "oauth" else {}, {"steps": {"Deploy": {"result": None}}}]
            bitbucket.script("api", f"fails-once-{auth_type}", steps=[failing], outcomes=outcomes)
        with ThreadPoolExecutor() as pool:
            logins = [
                pool.submit(running.log_in, COMMAND, conn_id("oauth"), "priya"),
                pool.submit(running.log_in, AIRFLOW_COMMAND, conn_id("oauth"), "tomas"),
                pool.submit(running.log_in, COMMAND, conn_id("oauth", limited=True), "priya"),
            ]
            for auth_type in SHARED:
                start_examples(running, auth_type)
                running.start("failed", "tried_once", auth_type, custom_pipeline="broken", note=CANARY)
            for login in logins:
                login.result()
        bitbucket.expire_access_tokens()  # so that tasks have to renew the logins
        running.sign_in("tomas")
        for auth_type in reversed(PER_USER):
            running.start("retried", "tried_twice", auth_type, custom_pipeline=f"fails-once-{auth_type}", note=CANARY)
        running.sign_in("nora")
        for auth_type in PER_USER:
            running.start("unconnected", "tried_once", auth_type, repository="mobile")
        running.sign_in("priya")
        for auth_type in PER_USER:
            start_examples(running, auth_type)
        running.start(REPORT, REPORT, "oauth", output=(folder / "report").as_uri(), weeks=1)
        wait_until(lambda: running.state("retried", "oauth") == "deferred", seconds=120, what="the task waits in the triggerer")
        bitbucket.expire_access_tokens()  # from now on only the triggerer sends requests as tomas
        wait_until(lambda: running.refreshes("tomás.herrera") == 2, seconds=90, what="the triggerer renews a login")
        running.finish("retried", "oauth", "FAILED")
        for auth_type in AUTH_TYPES:
            running.start("forbidden", "tried_once", auth_type, limited=True)
        running.wait_for_all()
        running.start(KEEP_LOGINS, KEEP_LOGINS, "oauth")
        running.command(*AIRFLOW_COMMAND, "status", "--conn-id", conn_id("oauth"))
        running.wait_for_all()
        revoke_everything(bitbucket)
        for auth_type in AUTH_TYPES:
            running.start("revoked", "tried_once", auth_type)
        running.wait_for_all()
        yield running


def start_examples(running: Site, auth_type: str) -> None:
    """Start the example DAGs with an auth type."""
    for example in EXAMPLES:
        running.start(example, example, auth_type)


def revoke_everything(bitbucket: BitbucketEmulator) -> None:
    """Revoke all credentials."""
    bitbucket.revoke_logins()
    for credential in bitbucket.state.credentials:
        bitbucket.revoke(credential.secret)
    bitbucket.consumer(private=False)


def creator(running: Site, number: int) -> str:
    """Return the nickname of the creator of a pipeline of ``api``."""
    pipelines = running.bitbucket.state.workspaces["acme"].repositories["api"].pipelines
    started_by = next(one.creator for one in pipelines if one.build_number == number)
    assert started_by
    return started_by.nickname


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_the_example_dags_succeed_with_every_auth_type(ran: Site, auth_type: str) -> None:
    for example in (*EXAMPLES, *((REPORT, KEEP_LOGINS) if auth_type == "oauth" else ())):
        states = {task["task_id"]: task["state"] for task in ran.airflow.tasks(*ran.runs[example, auth_type])}
        assert set(states.values()) == {"success"}, (example, states)
    for example in EXAMPLES:
        assert ran.trigger_log(example, auth_type, "deploy"), "the task was deferred"
    actor = ACTORS.get(auth_type, PEOPLE["priya"])
    started = [ran.xcom(PIPELINES, auth_type, "build_number", task) for task in ("deploy", "build", "start")]
    started.append(ran.xcom(RELEASE, auth_type, "build_number", "deploy"))
    assert [creator(ran, number) for number in started] == [actor] * 4
    assert ran.xcom(RELEASE, auth_type, "return_value", "comment"), "the release has commented on pull requests"


@pytest.mark.parametrize("auth_type", PER_USER)
def test_the_user_who_triggered_the_run_is_the_acting_user_after_a_deferral_and_in_a_retry(ran: Site, auth_type: str) -> None:
    assert ran.outcome("retried", auth_type) == "success"
    first, second = (ran.log("retried", auth_type, attempt=attempt) for attempt in (1, 2))
    assert "no space left on device" in first if auth_type == "api_token_per_user" else "failed" in first
    number = int(ran.xcom("retried", auth_type, "build_number"))
    assert f"Pipeline #{number} " in second
    assert ran.trigger_log("retried", auth_type, attempt=1)
    assert ran.trigger_log("retried", auth_type, attempt=2)
    pipelines = ran.bitbucket.state.workspaces["acme"].repositories["api"].pipelines
    started = [one for one in pipelines if one.target["selector"].get("pattern") == f"fails-once-{auth_type}"]
    assert [one.creator and one.creator.nickname for one in started] == [PEOPLE["tomas"]] * 2


def test_an_expired_login_is_renewed_in_the_task_and_in_the_triggerer(ran: Site) -> None:
    renewed = "Renewed the Bitbucket login of tomas."
    (login,) = (one for one in ran.bitbucket.logins() if one["user"] == PEOPLE["tomas"])
    assert login["refreshes"] == 3, "renewed by the task, by the triggerer, and by the DAG that keeps logins alive"
    assert renewed in ran.log("retried", "oauth"), "renewed by the task before it was deferred"
    by_trigger = [name for name, content in ran.written().items() if "trigger" in name and renewed.encode() in content]
    assert by_trigger, "renewed by the shared poller"
    assert not any(login["revoked_by_reuse"] for login in ran.bitbucket.logins())


def test_a_user_without_credentials_does_not_act_with_those_of_another_user(ran: Site) -> None:
    assert {ran.outcome("unconnected", auth_type) for auth_type in PER_USER} == {"failed"}
    shared = conn_id("api_token_per_user")
    assert f"there is no connection '{shared}__nora'. Add it: airflow connections add" in ran.log("unconnected", PER_USER[0])
    assert f"airflow bitbucket login --conn-id {conn_id('oauth')} --user nora" in ran.log("unconnected", PER_USER[1])
    requests = ran.bitbucket.control("GET", "requests?recent=100000")["recent"]
    started = [one for one in requests if one["method"] == "POST" and one["path"].startswith("/2.0/repositories/acme/mobile")]
    assert not started


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_missing_scopes_and_revoked_credentials_are_explained_in_the_log(ran: Site, auth_type: str) -> None:
    assert ran.outcome("forbidden", auth_type) == ran.outcome("revoked", auth_type) == "failed"
    assert "BitbucketPermissionError" in ran.log("forbidden", auth_type)
    assert "write:pipeline:bitbucket" in ran.log("forbidden", auth_type)
    revoked = ran.log("revoked", auth_type)
    assert "BitbucketAuthError" in revoked or "OAuthRefusedError" in revoked
    if auth_type == "oauth":
        assert "The Bitbucket login of 'priya' has expired" in revoked
        assert "airflow bitbucket login" in revoked


@pytest.mark.parametrize("auth_type", SHARED)
def test_the_log_of_a_failed_step_is_shown_with_shared_credentials(ran: Site, auth_type: str) -> None:
    assert ran.outcome("failed", auth_type) == "failed"
    assert "no space left on device" in ran.log("failed", auth_type)


def test_no_secret_is_in_logs_database_api_responses_command_output_or_urls(ran: Site) -> None:
    """Every file and API response of Airflow, the output of commands, and the requests that Bitbucket received are searched."""
    written, shown, printed = ran.written(), ran.shown(), {"printed": "\n".join(ran.printed).encode()}
    received = {"received": json.dumps(ran.bitbucket.control("GET", "requests?recent=100000")).encode()}
    secrets = ran.secrets()
    for secret in (*ran.codes, SECURED, "demo-secret", "demo-api-token", "demo-access-token", "priya.raman-api-token"):
        assert secret in secrets
    assert len(ran.codes) == 3
    for contents in (written, shown, printed, received):
        assert not leaks(secrets, contents)

    # The search itself works: it finds other texts in each kind of content, and a secret that is written on purpose.
    assert {"airflow.db", "scheduler.out", "triggerer.out", "api-server.out", "dag-processor.out"} <= set(written)
    assert ("airflow.db", CANARY) in leaks([CANARY], written)
    assert any("attempt=1" in place for place, _ in leaks(["pipelines/results/"], written))
    assert any("trigger" in place for place, _ in leaks(["Renewed the Bitbucket login of tomas."], written))
    for part in ("taskInstances", "xcomEntries", "logs"):
        assert any(part in place for place, _ in leaks([CANARY, "pipelines/results/"], shown)), part
    assert leaks(["bitbucket_oauth"], printed)
    assert leaks([CANARY], received)
    planted = ran.airflow.home / "logs" / "planted.log"
    planted.write_text(f"Authorization: Bearer {secrets[0]}")
    assert leaks(secrets, ran.written()) == [("logs/planted.log", secrets[0])]


def test_logins_are_stored_as_encrypted_variables_that_the_ui_masks(ran: Site) -> None:
    shown = {one["key"]: one for one in json.loads(ran.shown()["/variables"])}
    for user in PEOPLE:
        variable = shown[f"bitbucket_token__{conn_id('oauth')}__{user}"]
        assert variable["is_encrypted"]
        value = json.loads(variable["value"])
        assert (value["access_token"], value["refresh_token"]) == ("***", "***")
    connections = {one["connection_id"]: one for one in json.loads(ran.shown()["/connections"])}
    assert connections[f"{conn_id('api_token_per_user')}__priya"]["password"] == "***"
