"""Generate ``docs/operations.md``: which operations of Bitbucket's API have a client method or an operator.

``python -m tests.operations_page > docs/operations.md`` writes the page. It needs the published OpenAPI document.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from types import FrameType
from typing import Any

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.client.resources.resource import Resource
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator.tour import Tour
from tests.openapi import OpenApi, Operation
from tests.test_client_contract import CALLS

#: Client method -> the operator or sensor whose purpose that method is.
OPERATORS: dict[str, str] = {
    "pull_requests.create": "BitbucketCreatePullRequestOperator",
    "pull_requests.update": "BitbucketUpdatePullRequestOperator",
    "pull_requests.merge": "BitbucketMergePullRequestOperator",
    "pull_requests.decline": "BitbucketDeclinePullRequestOperator",
    "pull_requests.approve": "BitbucketReviewPullRequestOperator",
    "pull_requests.unapprove": "BitbucketReviewPullRequestOperator",
    "pull_requests.request_changes": "BitbucketReviewPullRequestOperator",
    "pull_requests.withdraw_request": "BitbucketReviewPullRequestOperator",
    "pull_request_comments.create": "BitbucketPullRequestCommentOperator",
    "pull_request_comments.update": "BitbucketPullRequestCommentOperator",
    "pull_request_tasks.create": "BitbucketPullRequestTaskOperator",
    "pull_request_tasks.update": "BitbucketPullRequestTaskOperator",
    "source.commit": "BitbucketCommitFilesOperator",
    "refs.create_branch": "BitbucketCreateBranchOperator",
    "refs.create_tag": "BitbucketCreateTagOperator",
    "refs.delete_branch": "BitbucketDeleteBranchOperator",
    "refs.delete_tag": "BitbucketDeleteTagOperator",
    "repositories.create": "BitbucketCreateRepositoryOperator",
    "repositories.delete": "BitbucketDeleteRepositoryOperator",
    "repositories.fork": "BitbucketForkRepositoryOperator",
    "downloads.upload": "BitbucketUploadDownloadOperator",
    "build_statuses.set": "BitbucketBuildStatusOperator",
    "reports.put": "BitbucketCodeInsightsOperator",
    "pipelines.start": "BitbucketTriggerPipelineOperator",
    "pipelines.stop": "BitbucketStopPipelineOperator",
    "pipeline_variables.create": "BitbucketSetPipelineVariablesOperator",
    "pipeline_variables.update": "BitbucketSetPipelineVariablesOperator",
    "environments.create": "BitbucketEnsureEnvironmentsOperator",
    "pipeline_schedules.create": "BitbucketEnsurePipelineSchedulesOperator",
    "pipeline_schedules.update": "BitbucketEnsurePipelineSchedulesOperator",
    "pipeline_schedules.delete": "BitbucketEnsurePipelineSchedulesOperator",
    "webhooks.create": "BitbucketEnsureWebhookOperator",
    "webhooks.update": "BitbucketEnsureWebhookOperator",
}

_INTRODUCTION = """\
# Operations of the API

Each operation of [Bitbucket's published API](https://developer.atlassian.com/cloud/bitbucket/rest/intro/) and how it is reached
from a DAG: by an operator, by a method of the client (`BitbucketHook().get_conn()`), or by the generic call
`client.request("GET", "/...")`. The methods are found by running each of them against the emulator and recording its requests.

"""


class RecordingClient(BitbucketClient):
    """A client that records which method of which resource requests which path."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.requested: set[tuple[str, str, str]] = set()
        super().__init__(*args, **kwargs)

    def _record(self, method: str, path: str) -> None:
        if caller := _public_resource_method(sys._getframe()):
            self.requested.add((method.upper(), path, caller))

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        self._record(method, path)
        return super().request(method, path, **kwargs)

    def get(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("GET", path)
        return super().get(path, *args, **kwargs)

    def get_page(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("GET", path)
        return super().get_page(path, *args, **kwargs)

    def post(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("POST", path)
        return super().post(path, *args, **kwargs)

    def put(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("PUT", path)
        return super().put(path, *args, **kwargs)

    def delete(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("DELETE", path)
        return super().delete(path, *args, **kwargs)

    def paginate(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._record("GET", path)
        return super().paginate(path, *args, **kwargs)


def _public_resource_method(frame: FrameType | None) -> str | None:
    """Return ``resource.method`` of the innermost public method of a resource on the stack."""
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Resource) and not frame.f_code.co_name.startswith(("_", "<")):
            return f"{_attribute(owner)}.{frame.f_code.co_name}"
        frame = frame.f_back
    return None


def _attribute(resource: Resource) -> str:
    client: Any = resource._api
    return next(name for name, value in vars(client).items() if type(value) is type(resource))


def methods_of_operations(openapi: OpenApi) -> dict[str, set[str]]:
    """Return the client methods that request each operation, by ``METHOD /template``."""
    with BitbucketEmulator("empty", speed=0, now=NOW) as bitbucket:
        Tour(bitbucket).everything()
        client = RecordingClient(ApiToken(*bitbucket.api_token), workspace="acme", base_url=bitbucket.api_url)
        for call in CALLS.values():
            call(client)
    found: dict[str, set[str]] = defaultdict(set)
    for method, path, caller in client.requested:
        if operation := openapi.operation(method, path):
            found[str(operation)].add(caller)
    return found


def page(operations: Iterable[Operation], methods: Mapping[str, set[str]]) -> str:
    """Return the page as Markdown."""
    listed = sorted(operations, key=lambda one: (_group(one), one.template, one.method))
    groups = {name: list(members) for name, members in groupby(listed, key=_group)}
    return _INTRODUCTION + "\n".join([*_summary(groups, methods), *_tables(groups, methods)]) + "\n"


def _group(operation: Operation) -> str:
    return str(operation.definition["tags"][0])


def _summary(groups: Mapping[str, list[Operation]], methods: Mapping[str, set[str]]) -> Iterator[str]:
    yield "| Group | Operations | With a method | With an operator |"
    yield "| --- | ---: | ---: | ---: |"
    rows = [(name, *_counts(members, methods)) for name, members in groups.items()]
    for name, *counts in rows:
        yield f"| [{name}](#{name.lower().replace(' ', '-')}) | {' | '.join(map(str, counts))} |"
    yield "| **All** | " + " | ".join(str(sum(row[column] for row in rows)) for column in (1, 2, 3)) + " |"


def _counts(operations: list[Operation], methods: Mapping[str, set[str]]) -> tuple[int, int, int]:
    covered = [methods[str(one)] for one in operations if str(one) in methods]
    return len(operations), len(covered), sum(bool(callers & OPERATORS.keys()) for callers in covered)


def _tables(groups: Mapping[str, list[Operation]], methods: Mapping[str, set[str]]) -> Iterator[str]:
    for name, operations in groups.items():
        yield f"\n## {name}\n"
        yield "| Operation | Client method | Operator |"
        yield "| --- | --- | --- |"
        for one in operations:
            callers = sorted(methods.get(str(one), ()))
            operators = sorted({OPERATORS[caller] for caller in callers if caller in OPERATORS})
            yield f"| `{one}` | {_code(callers) or 'generic call'} | {_code(operators)} |"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    specification = OpenApi.load()
    sys.stdout.write(page(specification.operations.values(), methods_of_operations(specification)))
