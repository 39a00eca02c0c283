"""Types of responses have only fields that Bitbucket documents or that recorded responses contain."""

from __future__ import annotations

import inspect
import re
from typing import Any, get_type_hints, is_typeddict

import pytest

from airflow_provider_bitbucket.client import types
from tests.openapi import OpenApi

SCHEMAS = {
    "Account": "user",
    "Annotation": "report_annotation",
    "Author": "author",
    "Branch": "branch",
    "BranchRestriction": "branchrestriction",
    "BranchingModelSettings": "branching_model_settings",
    "BuildStatus": "commitstatus",
    "Comment": "pullrequest_comment",
    "Commit": "commit",
    "CommitComment": "commit_comment",
    "CommitFile": "commit_file",
    "DefaultReviewer": "default_reviewer_and_type",
    "Deployment": "deployment",
    "EffectiveBranchingModel": "effective_repo_branching_model",
    "Endpoint": "pullrequest_endpoint",
    "Environment": "deployment_environment",
    "FileChange": "diffstat",
    "Group": "group",
    "Inheritance": "repository_inheritance_state",
    "Membership": "workspace_membership",
    "Participant": "participant",
    "Pipeline": "pipeline",
    "PipelineTarget": "pipeline_ref_target",
    "Project": "project",
    "PullRequest": "pullrequest",
    "Release": "deployment_release",
    "Report": "report",
    "ReportData": "report_data",
    "Repository": "repository",
    "Resolution": "comment_resolution",
    "Step": "pipeline_step",
    "Tag": "tag",
    "Task": "pullrequest_comment_task",
    "Cache": "pipeline_cache",
    "HookEvent": "hook_event",
    "PipelinesConfig": "pipelines_config",
    "Schedule": "pipeline_schedule",
    "ScheduleExecution": "pipeline_schedule_execution",
    "Variable": "pipeline_variable",
    "Webhook": "webhook_subscription",
    "Workspace": "workspace",
}
#: Types that the document does not describe: parts of other types, the timeline and downloads.
UNDOCUMENTED = {"ActivityEntry", "BranchType", "Download", "HtmlLinks", "Inline", "Link", "MergeStatus", "ModelBranch", "Text"}
#: Types of what is written; ``tests/test_client_contract.py`` checks the bodies.
WRITTEN = {"MergeFields", "PullRequestFields"}
PYTHON_TYPES = {"string": str, "integer": int, "boolean": bool}


def recorded(name: str) -> set[str]:
    """Return the fields of a type that are marked as recorded."""
    return set(re.findall(r"^    (\w+): .*# recorded$", inspect.getsource(getattr(types, name)), re.MULTILINE))


def properties(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a schema with those that it inherits."""
    if "$ref" in schema:
        return properties(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    inherited = [properties(document, part) for part in schema.get("allOf", ())]
    return {name: value for part in [*inherited, schema.get("properties", {})] for name, value in part.items()}


def test_every_type_is_compared_with_a_schema() -> None:
    named = {name for name, value in vars(types).items() if is_typeddict(value) and value.__module__.startswith(types.__name__)}

    assert named == {*SCHEMAS, *UNDOCUMENTED, *WRITTEN}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_field_is_documented_with_that_type_or_marked_as_recorded(name: str) -> None:
    document = OpenApi.load().document
    documented = properties(document, document["components"]["schemas"][SCHEMAS[name]])
    hints = get_type_hints(getattr(types, name))

    assert set(hints) - set(documented) == recorded(name)
    for field, hint in hints.items():
        expected = PYTHON_TYPES.get(documented.get(field, {}).get("type", ""))
        if expected is not None and hint in PYTHON_TYPES.values():
            assert hint is expected, f"{name}.{field}"
