"""The demo's ``bitbucket-pipelines.yml`` files, and what its custom pipelines do when a user starts them."""

from __future__ import annotations

from typing import Any

from bitbucket_cloud_emulator.pipelines.models import PipelineScript
from bitbucket_cloud_emulator.seeds.demo_texts import FLAKE, MIGRATION

_BRANCHES = """image: atlassian/default-image:5

definitions:
  steps:
    - step: &lint {name: Lint, script: [make lint]}
    - step: &build {name: Build, script: [make install, make build]}
    - step: &test {name: Test, script: [make test]}
    - step: &smoke {name: Smoke test, script: [make smoke]}

pipelines:
  pull-requests:
    '**':
      - step: *lint
      - step: *test
  branches:
    main:
      - step: *build
      - step: *test
"""
_TO_TEST = """      - step: {name: Deploy to test, deployment: test, script: [./deploy.sh test]}
"""
_DEPLOYS = """  custom:
    deploy-staging:
      - step: *build
      - step: {name: Deploy to staging, deployment: staging, script: [./deploy.sh staging]}
    deploy-production:
      - variables:
          - name: RELEASE
      - step: *build
      - step: {name: Deploy to production, deployment: production, script: [./deploy.sh production]}
      - step: *smoke
    nightly:
      - step: *build
      - step: {name: Full test suite, script: [make test-all]}
"""
_SPECIALS = """    release-with-approval:
      - step: *build
      - step: {name: Deploy to staging, deployment: staging, script: [./deploy.sh staging]}
      - step: {name: Deploy to production, deployment: production, trigger: manual, script: [./deploy.sh production]}
    flaky-e2e:
      - step: *build
      - step: {name: End-to-end tests, script: [make e2e]}
    broken-migration:
      - step: *build
      - step: {name: Migrate, script: [make migrate]}
      - step: {name: Deploy to staging, deployment: staging, script: [./deploy.sh staging]}
"""

#: By repository; docs has none, and Pipelines is switched off there.
DEFINITIONS: dict[str, bytes] = {
    "api": f"{_BRANCHES}{_TO_TEST}{_DEPLOYS}{_SPECIALS}".encode(),
    "web": f"{_BRANCHES}{_TO_TEST}{_DEPLOYS}".encode(),
    "mobile": _BRANCHES.encode(),
    "data-platform": f"{_BRANCHES}{_TO_TEST}{_DEPLOYS}".encode(),
    "infrastructure": _BRANCHES.encode(),
}


def passing_cases(count: int) -> list[dict[str, Any]]:
    """Return test cases that all passed.

    :param count: how many
    """
    return [
        {"name": f"tests.test_module_{number % 9}.test_case_{number}", "status": "SUCCESSFUL", "seconds": 0.05}
        for number in range(count)
    ]


def failing_case(name: str, reason: str) -> dict[str, Any]:
    """Return a test case that failed.

    :param name: with its package, dotted
    :param reason: the message in the report
    """
    return {"name": name, "status": "FAILED", "seconds": 1.27, "reason": reason}


def scripts() -> list[PipelineScript]:
    """Return what the special pipelines of ``api`` do: one that fails now and then, one that always does."""
    card = failing_case("e2e.checkout.pays_with_a_saved_card", FLAKE.splitlines()[1])
    flake = {"result": "FAILED", "log": FLAKE, "test_cases": [*passing_cases(41), card]}
    failed = {"steps": {"End-to-end tests": flake}}
    passed = {"steps": {"End-to-end tests": {"test_cases": passing_cases(42)}}}
    reason = 'column "currency" of relation "orders" contains null values'
    cases = [
        failing_case("migrations.test_b71e04.test_upgrade", reason),
        failing_case("migrations.test_b71e04.test_upgrade_then_downgrade", reason),
        *passing_cases(12),
    ]
    broken = {"steps": {"Migrate": {"result": "FAILED", "log": MIGRATION, "test_cases": cases}}}
    return [
        PipelineScript("flaky-e2e", [], [failed, passed, passed, failed, passed]),
        PipelineScript("broken-migration", [], [broken]),
    ]
