"""Pipelines of YAML that is not in the repository, and custom pipelines that do not exist."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.exceptions import BitbucketMissingPipelineError
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.tries import Record, Tries
from tests.operators.waiting import Trigger

YAML = """
    pipelines:
      custom:
        train:
          - step: {name: Train, script: [python train.py]}
"""


def names_of_steps(bitbucket: BitbucketEmulator) -> list[list[str | None]]:
    """Return the names of the steps of each pipeline."""
    return [[step.name for step in one.steps] for one in next(bitbucket.state.repositories()).pipelines]


def test_yaml_that_is_not_in_the_repository_is_run(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    run = trigger(pipeline_yaml=YAML, custom_pipeline="train", variables={"EPOCHS": "3"}, wait_for_completion=False)

    assert run.state == "success", run.log
    assert names_of_steps(bitbucket) == [["Train"]]
    (pipeline,) = next(bitbucket.state.repositories()).pipelines
    assert pipeline.variables == [{"key": "EPOCHS", "value": "3"}]


def test_secured_variables_beside_yaml_are_refused_and_are_in_no_address(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    secret = [{"key": "TOKEN", "value": "s3cret", "secured": True}]

    run = trigger(pipeline_yaml=YAML, custom_pipeline="train", variables=secret)

    assert "Variables ['TOKEN'] are secured" in str(run.error)
    assert not names_of_steps(bitbucket)
    assert "s3cret" not in str(bitbucket.control("GET", "requests?recent=100"))


def test_yaml_whose_start_got_no_answer_is_run_once(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    bitbucket.fault("lost_answer", method="POST")

    run = trigger(pipeline_yaml=YAML, custom_pipeline="train", wait_for_completion=False)

    assert run.state == "success", run.log
    assert names_of_steps(bitbucket) == [["Train"]]


@pytest.mark.parametrize(("changed", "pipelines"), [(False, 1), (True, 2)])
def test_a_retry_continues_with_the_pipeline_of_the_same_yaml_alone(
    bitbucket: BitbucketEmulator, changed: bool, pipelines: int
) -> None:
    record = Record()
    parameters: dict[str, Any] = {"custom_pipeline": "train", "wait_for_completion": False}
    for text in (YAML, YAML.replace("train.py", "train.py --fast") if changed else YAML):
        Tries(record, pipeline_yaml=text, **parameters).run()

    assert len(names_of_steps(bitbucket)) == pipelines


@pytest.mark.parametrize(
    ("parameters", "names"),
    [({}, "Custom pipelines there: deploy-production, deploy-staging, nightly"), ({"pipeline_yaml": YAML}, "there: train")],
)
def test_a_missing_custom_pipeline_is_reported_with_those_that_exist(
    bitbucket: BitbucketEmulator, trigger: Trigger, parameters: dict[str, Any], names: str
) -> None:
    run = trigger(custom_pipeline="deploy", **parameters)

    assert isinstance(run.error, BitbucketMissingPipelineError)
    assert "Bitbucket has no custom pipeline 'deploy'" in str(run.error)
    assert names in str(run.error)


def test_a_missing_custom_pipeline_can_skip_the_task(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    assert trigger(custom_pipeline="deploy", on_missing_pipeline="skip").state == "skipped"


def test_another_refusal_never_skips_the_task(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    assert trigger(branch="none", on_missing_pipeline="skip").state == "failed"
