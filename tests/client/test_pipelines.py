"""Pipelines are started, read and stopped, and their failures are explained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import BitbucketClient, PipelineStatus
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.web_server import Answer, WebServer

CASES = [{"name": f"test_{number}", "status": "FAILED" if number % 3 == 0 else "SUCCESSFUL"} for number in range(40)]
BROKEN = [
    {"name": "Build", "seconds": 10},
    {"name": "Test", "seconds": 10, "result": "FAILED", "log": "E   assert 1 == 2", "test_cases": CASES},
    {"name": "Deploy", "seconds": 10},
]


def variables(emulator: BitbucketEmulator, number: int) -> Any:
    return emulator.control("GET", f"pipelines/acme/api/{number}")["variables"]


def open_pull_request(emulator: BitbucketEmulator) -> int:
    return int(emulator.control("POST", "pullrequests/acme/api", {"title": "Faster", "source_branch": "feature/x"})["id"])


class TestStart:
    """The requested target is what runs."""

    def test_a_branch_is_started(self, client: BitbucketClient) -> None:
        made = client.pipelines.trigger("api", branch="main")
        assert made["state"]["name"] in ("PARSING", "PENDING")
        assert (made["target"]["ref_type"], made["target"]["ref_name"]) == ("branch", "main")

    def test_a_tag_is_started(self, client: BitbucketClient) -> None:
        head = client.refs.branch("api", "main")["target"]["hash"]
        client.post(f"{client.repository_path('api')}/refs/tags", {"name": "v1", "target": {"hash": head}})
        made = client.pipelines.trigger("api", tag="v1")
        assert (made["target"]["ref_type"], made["target"]["commit"]["hash"]) == ("tag", head)

    @pytest.mark.parametrize("length", [40, 12])
    def test_a_custom_pipeline_is_started_on_a_full_or_abbreviated_commit(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, length: int
    ) -> None:
        head = client.refs.branch("api", "main")["target"]["hash"]
        made = client.pipelines.trigger("api", commit=head[:length], custom_pipeline="nightly")
        sent = bitbucket_emulator.control("GET", "requests?recent=1")["recent"][0]["body"]
        assert json.loads(sent)["target"]["commit"]["hash"] == made["target"]["commit"]["hash"] == head
        bitbucket_emulator.clock(advance=60)  # its selector is known once the definition has been parsed
        assert client.pipelines.get("api", made["uuid"])["target"]["selector"]["pattern"] == "nightly"

    @pytest.mark.parametrize("length", [40, 12])
    def test_a_commit_is_started_on_a_branch_whose_head_is_another_commit(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, length: int
    ) -> None:
        open_pull_request(bitbucket_emulator)
        commit = client.refs.branch("api", "main")["target"]["hash"]
        assert client.refs.branch("api", "feature/x")["target"]["hash"] != commit
        made = client.pipelines.trigger("api", branch="feature/x", commit=commit[:length])
        sent = json.loads(bitbucket_emulator.control("GET", "requests?recent=1")["recent"][0]["body"])
        assert sent["target"] == {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": "feature/x",
            "commit": {"type": "commit", "hash": commit},
        }
        assert (made["target"]["ref_name"], made["target"]["commit"]["hash"]) == ("feature/x", commit)

    def test_the_error_for_a_missing_commit_names_commit_and_branch(self, client: BitbucketClient) -> None:
        with pytest.raises(bitbucket.BitbucketNotFoundError, match="commit aaaaaaaaaaaa of main of acme/api"):
            client.pipelines.trigger("api", branch="main", commit="a" * 40)

    def test_a_pull_request_is_started_with_full_hashes_although_it_shows_short_ones(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        bitbucket_emulator.script("api", "pull-requests", steps=[{"name": "Check", "seconds": 1}])
        bitbucket_emulator.script("api", "**", steps=[{"name": "Check", "seconds": 1}])
        number = open_pull_request(bitbucket_emulator)
        bitbucket_emulator.reset_requests()
        made = client.pipelines.trigger("api", pull_request=number)
        sent = json.loads(bitbucket_emulator.control("GET", "requests?recent=1")["recent"][0]["body"])["target"]
        assert sent["type"] == "pipeline_pullrequest_target"
        assert (sent["source"], sent["destination"], sent["pullrequest"]) == ("feature/x", "main", {"id": str(number)})
        assert sent["selector"] == {"type": "pull-requests", "pattern": "**"}
        assert {len(sent[name]["hash"]) for name in ("commit", "destination_commit")} == {40}
        assert made["target"]["pullrequest"]["id"] == number
        assert sum(bitbucket_emulator.requests().values()) == 4

    def test_a_closed_pull_request_is_refused_before_a_pipeline_is_started(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        number = open_pull_request(bitbucket_emulator)
        client.post(f"{client.repository_path('api')}/pullrequests/{number}/decline")
        with pytest.raises(ValueError, match="is DECLINED; only an open one can run"):
            client.pipelines.trigger("api", pull_request=number)

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ({"A": "x", "B": 1, "C": True}, [("A", "x", None), ("B", "1", None), ("C", "true", None)]),
            ([{"key": "A", "value": "s", "secured": True}, {"key": "B"}], [("A", "s", True), ("B", "", None)]),
            (None, []),
        ],
    )
    def test_variables_are_sent_as_text(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, given: Any, sent: Any
    ) -> None:
        client.pipelines.trigger("api", branch="main", variables=given)
        arrived = variables(bitbucket_emulator, 1)
        assert [(one["key"], one["value"], one.get("secured")) for one in arrived] == sent

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "given: none of them"),
            ({"branch": "", "tag": None}, "given: none of them"),
            ({"branch": "a", "tag": "b"}, "given: branch='a', tag='b'"),
            ({"commit": "a" * 40}, "A commit alone does not determine the pipeline"),
            ({"branch": "a", "custom_pipeline": "x", "selector": {"type": "custom"}}, "not both"),
            ({"branch": "a", "selector": {"pattern": "x"}}, "expected {'type'"),
            ({"branch": "a", "variables": {"X": [1]}}, "'X' is a list"),
            ({"branch": "a", "variables": [{"name": "X"}]}, r"given: \['name'\]"),
            ({"branch": "a", "variables": ["X=1"]}, "given: str"),
        ],
    )
    def test_malformed_parameters_are_refused_without_a_request(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, given: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            client.pipelines.trigger("api", **given)
        assert not bitbucket_emulator.requests()

    def test_the_error_for_a_malformed_variable_does_not_show_its_value(self, client: BitbucketClient) -> None:
        with pytest.raises(ValueError, match="given") as caught:
            client.pipelines.trigger("api", branch="main", variables=[{"name": "X", "value": "s3cret"}])
        assert "s3cret" not in str(caught.value)


class TestRefusal:
    """Errors name the target that Bitbucket refused."""

    def test_an_unknown_custom_pipeline_is_named(self, client: BitbucketClient) -> None:
        with pytest.raises(bitbucket.BitbucketBadRequestError) as caught:
            client.pipelines.trigger("api", branch="main", custom_pipeline="deploy-prod")
        assert str(caught.value).startswith(
            "Bitbucket has no custom pipeline 'deploy-prod' in bitbucket-pipelines.yml at main of acme/api. "
            "(400 result-service.pipeline.selector-not-found, POST http://"
        )

    @pytest.mark.parametrize(
        ("target", "said"),
        [
            ({"branch": "nope"}, "There is no branch 'nope' in acme/api."),
            ({"tag": "v9"}, "There is no tag 'v9' in acme/api."),
            ({"commit": "f" * 40, "custom_pipeline": "nightly"}, "started no pipeline at commit ffffffffffff of acme/api"),
            ({"branch": "main", "selector": {"type": "branches", "pattern": "x"}}, "no branches pipeline 'x' .* at main of"),
        ],
    )
    def test_an_unknown_ref_commit_or_selector_is_named(self, client: BitbucketClient, target: dict[str, Any], said: str) -> None:
        with pytest.raises(bitbucket.BitbucketError, match=said):
            client.pipelines.trigger("api", **target)

    def test_the_error_for_switched_off_pipelines_names_the_setting(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
        with pytest.raises(bitbucket.BitbucketError, match=r"switched off in acme/api: .*under Pipelines > Settings"):
            client.pipelines.trigger("api", branch="main")

    def test_an_unknown_repository_is_named(self, client: BitbucketClient) -> None:
        with pytest.raises(bitbucket.BitbucketNotFoundError, match=r"main of acme/none: The requested repository either"):
            client.pipelines.trigger("none", branch="main")

    def test_an_unknown_pull_request_is_not_found(self, client: BitbucketClient) -> None:
        with pytest.raises(bitbucket.BitbucketNotFoundError, match="Not found: it does not exist, or"):
            client.pipelines.trigger("api", pull_request=99)

    def test_missing_scopes_are_named(self, server: WebServer, server_client: BitbucketClient) -> None:
        detail = {"required": ["write:pipeline:bitbucket"], "granted": []}
        server.answer("/2.0/repositories/acme/api/pipelines/", Answer({"error": {"message": "No.", "detail": detail}}, 403))
        with pytest.raises(bitbucket.BitbucketPermissionError, match=r"Missing: write:pipeline:bitbucket .*\nGranted: none\."):
            server_client.pipelines.trigger("api", branch="main")


class TestRead:
    """Pipelines are read by uuid or build number."""

    def test_an_outcome_follows_the_pipeline_to_its_end(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        uuid = client.pipelines.trigger("api", branch="main")["uuid"]
        seen = []
        for _ in range(100):
            outcome = client.pipelines.outcome("api", uuid)
            seen.append(outcome.status)
            if outcome.is_terminal:
                break
            bitbucket_emulator.clock(advance=30)
        assert seen[0] is PipelineStatus.PENDING
        assert seen[-1] is PipelineStatus.SUCCESSFUL
        assert client.pipelines.outcome("api", 1) == outcome
        assert outcome.url == f"{bitbucket_emulator.url}/acme/api/pipelines/results/1"
        assert json.loads(json.dumps(outcome.summary()))["ref_name"] == "main"

    def test_the_url_of_a_pipeline_is_on_the_web_host_of_bitbucket(self) -> None:
        client = BitbucketClient(bitbucket.AccessToken("t"), "acme")
        outcome = client.pipelines.evaluate("other/api", {"uuid": "{1}", "build_number": 7, "state": {}})
        assert outcome.url == "https://bitbucket.org/other/api/pipelines/results/7"

    @pytest.mark.parametrize(
        ("filters", "numbers"),
        [
            ({}, [3, 2, 1]),
            ({"branch": "main"}, [3, 2, 1]),
            ({"branch": "other"}, []),
            ({"ref_name": "main", "ref_type": "BRANCH"}, [3, 2, 1]),
            ({"selector_type": "CUSTOM"}, [2]),
            ({"selector_pattern": "nightly"}, [2]),
            ({"trigger_type": "MANUAL", "status": "PASSED"}, [2, 1]),
            ({"status": ["PARSING", "PENDING", "FAILED"]}, [3]),
        ],
    )
    def test_a_list_is_filtered(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, filters: dict[str, Any], numbers: list[int]
    ) -> None:
        client.pipelines.trigger("api", branch="main")
        client.pipelines.trigger("api", branch="main", custom_pipeline="nightly")
        bitbucket_emulator.clock(advance=24 * 3600)
        client.pipelines.trigger("api", branch="main")
        assert [row["build_number"] for row in client.pipelines.list("api", **filters)] == numbers

    def test_a_list_is_filtered_by_commit_and_creator(self, client: BitbucketClient) -> None:
        made = client.pipelines.trigger("api", branch="main")
        me = client.users.me()["uuid"]
        assert [*client.pipelines.list("api", commit=made["target"]["commit"]["hash"], creator=me)] != []
        assert [*client.pipelines.list("api", creator="{unknown}")] == []

    @pytest.mark.parametrize(
        ("filters", "said"),
        [
            ({"status": "SUCCESSFUL"}, "PASSED"),
            ({"status": ["FAILED", "DONE"]}, "'DONE'"),
            ({"commit": "abc123"}, "40 characters"),
        ],
    )
    def test_a_filter_value_that_matches_no_pipeline_is_refused(
        self, client: BitbucketClient, filters: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            client.pipelines.list("api", **filters)

    def test_an_unknown_pipeline_is_not_found(self, client: BitbucketClient) -> None:
        with pytest.raises(bitbucket.BitbucketNotFoundError, match="Pipeline with build number '9' not found in repository"):
            client.pipelines.get("api", 9)


class TestStop:
    """Pipelines are stopped asynchronously."""

    def test_a_running_pipeline_is_stopped(self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
        client.pipelines.trigger("api", branch="main")
        assert client.pipelines.stop("api", 1) is True
        bitbucket_emulator.clock(advance=60)
        assert client.pipelines.outcome("api", 1).status is PipelineStatus.STOPPED
        assert client.pipelines.stop("api", 1) is False

    def test_a_stop_whose_answer_was_lost_is_repeated(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        client.pipelines.trigger("api", branch="main")
        bitbucket_emulator.fault("lost_answer", path="stopPipeline")
        assert client.pipelines.stop("api", 1) in (True, False)


class TestLogs:
    """Steps, their logs and their test reports."""

    @pytest.fixture
    def broken(self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> str:
        """A pipeline whose second of three steps failed."""
        bitbucket_emulator.script("api", "*", steps=BROKEN)
        uuid = str(client.pipelines.trigger("api", branch="main")["uuid"])
        bitbucket_emulator.clock(advance=3600)
        return uuid

    def test_a_pipeline_has_no_steps_before_its_definition_is_parsed(self, client: BitbucketClient) -> None:
        client.pipelines.trigger("api", branch="main")
        assert client.pipelines.steps("api", 1) == []

    def test_a_log_is_read_completely_or_in_ranges(self, client: BitbucketClient, broken: str) -> None:
        build, test, deploy = client.pipelines.steps("api", broken)
        whole = client.pipelines.log("api", broken, test["uuid"])
        assert b"E   assert 1 == 2" in whole
        assert client.pipelines.log("api", broken, test["uuid"], last=10) == whole[-10:]
        assert client.pipelines.log("api", broken, test["uuid"], start=3, end=7) == whole[3:8]
        assert client.pipelines.log("api", broken, test["uuid"], start=5) == whole[5:]
        assert client.pipelines.log("api", broken, build["uuid"], start=10**9) == b""
        with pytest.raises(bitbucket.BitbucketNotFoundError, match=r"Log in step .* does not exist"):
            client.pipelines.log("api", broken, deploy["uuid"])

    def test_a_range_is_cut_from_the_full_log_if_storage_ignores_ranges(
        self, server_client: BitbucketClient, server: WebServer
    ) -> None:
        server.answer("/2.0/repositories/acme/api/pipelines/1/steps/s/log", Answer("0123456789"))
        assert server_client.pipelines.log("api", 1, "s", last=3) == b"789"
        assert server_client.pipelines.log("api", 1, "s", start=2, end=4) == b"234"
        assert server_client.pipelines.log("api", 1, "s", end=1) == b"01"

    def test_the_log_of_a_running_step_grows(self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
        bitbucket_emulator.script("api", "*", steps=[{"name": "Long", "seconds": 100, "log": "a\n" * 50}])
        client.pipelines.trigger("api", branch="main")
        lengths = []
        for _ in range(3):
            bitbucket_emulator.clock(advance=30)
            step = client.pipelines.steps("api", 1)[0]["uuid"]
            lengths.append(len(client.pipelines.log("api", 1, step)))
        assert lengths == sorted(set(lengths))

    def test_a_test_report_is_read_if_the_step_has_one(self, client: BitbucketClient, broken: str) -> None:
        build, test, _ = client.pipelines.steps("api", broken)
        report = client.pipelines.test_report("api", broken, test["uuid"])
        assert report is not None
        assert report["number_of_failed_test_cases"] == 14
        cases = [*client.pipelines.test_cases("api", broken, test["uuid"])]
        assert len(cases) == 40
        assert client.pipelines.test_report("api", broken, build["uuid"]) is None

    def test_the_reason_of_a_failed_test_case_is_read(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        case = {"name": "test_sum", "status": "FAILED", "reason": "assert 3 == 4"}
        bitbucket_emulator.script("api", "*", steps=[{"name": "Test", "seconds": 1, "result": "FAILED", "test_cases": [case]}])
        client.pipelines.trigger("api", branch="main")
        bitbucket_emulator.clock(advance=3600)
        step = client.pipelines.steps("api", 1)[0]["uuid"]
        (found,) = client.pipelines.test_cases("api", 1, step)
        assert "assert 3 == 4" in json.dumps(client.pipelines.test_case_reasons("api", 1, step, found["uuid"]))

    def test_failure_details_name_step_failed_tests_and_end_of_log(self, client: BitbucketClient, broken: str) -> None:
        details = client.pipelines.failure_details("api", client.pipelines.outcome("api", broken), log_lines=2)
        lines = details.splitlines()
        assert lines[0] == "Step 'Test': FAILED"
        assert len([line for line in lines if line.startswith("  failed test: ") and "test_" in line]) == 10
        assert "  failed test: ... 14 in all" in lines
        assert [line for line in lines if line.startswith("  | ")][-1] == "  | Step result: FAILED"
        assert len([line for line in lines if line.startswith("  | ")]) == 2

    def test_failure_details_name_the_parts_that_could_not_be_read(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, broken: str
    ) -> None:
        outcome = client.pipelines.outcome("api", broken)
        bitbucket_emulator.fault("server_error", count=None, path="/log$")
        assert "its log could not be read: We're having trouble" in client.pipelines.failure_details("api", outcome)
        bitbucket_emulator.fault("server_error", count=None, path="test_reports")
        assert "its test report could not be read: We're having trouble" in client.pipelines.failure_details("api", outcome)
        bitbucket_emulator.fault("server_error", count=None, path="/steps$")
        assert client.pipelines.failure_details("api", outcome).startswith("Its steps could not be read: We're having trouble")

    def test_failure_details_count_further_failed_steps(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        uuid = client.pipelines.trigger("api", branch="main")["uuid"]
        outcome = client.pipelines.outcome("api", uuid)
        steps = [
            {"uuid": f"{{{n}}}", "name": f"S{n}", "state": {"name": "COMPLETED", "result": {"name": "ERROR"}}} for n in range(5)
        ]
        steps[0]["state"]["result"]["error"] = {"key": "k", "message": "The image could not be pulled"}
        with WebServer() as server:
            server.answer(f"/2.0/repositories/acme/api/pipelines/%7B{uuid[1:-1]}%7D/steps", {"values": steps})
            client = BitbucketClient(bitbucket.AccessToken("t"), "acme", server.api_url)
            lines = client.pipelines.failure_details("api", outcome).splitlines()
        assert lines[:2] == ["Step 'S0': ERROR", "  The image could not be pulled"]
        assert lines[-1] == "... and 2 more failed steps"
