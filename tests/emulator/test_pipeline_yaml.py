"""A ``bitbucket-pipelines.yml`` is parsed to the pipelines that it defines."""

from __future__ import annotations

import pytest

from bitbucket_cloud_emulator.pipelines.definition import DefinitionError, parse

DEFINITION = b"""
image: python:3.12
pipelines:
  default:
    - step: {name: Test, script: [make test]}
  branches:
    main:
      - parallel:
          - step: {name: Lint, script: [make lint]}
          - step: {name: Test, script: [make test]}
      - stage:
          name: Deploy
          steps:
            - step:
                name: Deploy
                deployment: production
                trigger: manual
                image: {name: alpine}
                script: [{pipe: atlassian/ssh-run:1}]
    release/*:
      - step: {script: [make release]}
    'feature/{ui,api}/**':
      - step: {script: [make feature]}
  custom:
    nightly:
      - variables:
          - name: DAY
      - step: {name: Nightly, script: [make nightly]}
"""


@pytest.mark.parametrize(
    ("branch", "selector"),
    [
        ("main", {"type": "branches", "pattern": "main"}),
        ("release/1.2", {"type": "branches", "pattern": "release/*"}),
        ("release/1/2", {"type": "default"}),
        ("feature/ui/a/b", {"type": "branches", "pattern": "feature/{ui,api}/**"}),
        ("mainline", {"type": "default"}),
    ],
)
def test_a_branch_selects_the_first_matching_pattern_or_the_default(branch: str, selector: dict[str, str]):
    assert parse(DEFINITION).select("branches", branch) == selector


def test_a_pull_request_without_a_definition_selects_no_pipeline():
    assert parse(DEFINITION).select("pull-requests", "main") is None


def test_steps_of_parallel_groups_and_stages_are_included():
    steps = parse(DEFINITION).find({"type": "branches", "pattern": "main"})
    assert steps is not None
    assert [step["name"] for step in steps] == ["Lint", "Test", "Deploy"]
    assert steps[2]["manual"]
    assert (steps[2]["environment"], steps[2]["image"], steps[2]["script"]) == (
        "production",
        "alpine",
        ("pipe: atlassian/ssh-run:1",),
    )


def test_variables_of_a_custom_pipeline_are_not_steps():
    steps = parse(DEFINITION).find({"type": "custom", "pattern": "nightly"})
    assert steps is not None
    assert [step["name"] for step in steps] == ["Nightly"]
    assert parse(DEFINITION).find({"type": "custom", "pattern": "weekly"}) is None


@pytest.mark.parametrize("content", [b"", b"pipelines: 3", b"a: [", b"pipelines: {default: [{step: {name: x}}]}", b"\xff"])
def test_a_malformed_definition_is_an_error(content: bytes):
    with pytest.raises(DefinitionError, match="There is an error in your"):
        parse(content)
