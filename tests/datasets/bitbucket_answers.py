"""Answers of Bitbucket to what the datasets ask of repository acme/api, in their recorded shape: one record of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitbucket.client import NO_RETRIES, AccessToken, BitbucketClient
from tests.client.web_server import WebServer

_REPOSITORY = "/2.0/repositories/acme/api"
_AUTHOR = {"uuid": "{a}", "display_name": "Alex Author", "type": "user", "nickname": "alex", "account_id": "557058:a"}
_REVIEWER = {**_AUTHOR, "uuid": "{r}", "display_name": "Robin Reviewer", "nickname": "robin", "account_id": "557058:r"}
_CREATED, _CHANGED = "2026-10-01T08:00:00.551762+00:00", "2026-10-02T09:00:00.000001+00:00"
_COMMIT = {
    "hash": "a" * 40,
    "date": "2026-10-01T07:00:00+00:00",
    "message": "Add search\n",
    "author": {"raw": "Alex Author <alex@example.com>", "user": _AUTHOR},
    "parents": [{"hash": "c" * 40}],
}
_STEP = {
    "uuid": "{2}",
    "name": "Test",
    "run_number": 1,
    "state": {"name": "COMPLETED", "result": {"name": "SUCCESSFUL"}},
    "trigger": {"type": "pipeline_step_trigger_automatic"},
    "started_on": "2026-10-03T08:00:01.5Z",
    "completed_on": "2026-10-03T08:01:00.25Z",
    "duration_in_seconds": 59,
    "build_seconds_used": 59,
}
_PULL_REQUEST = {
    "id": 7,
    "title": "Add search",
    "state": "MERGED",
    "draft": False,
    "author": _AUTHOR,
    "closed_by": _REVIEWER,
    "source": {"branch": {"name": "search"}, "commit": {"hash": "a" * 12}, "repository": {"full_name": "acme/api"}},
    "destination": {"branch": {"name": "main"}, "commit": {"hash": "c" * 12}, "repository": {"full_name": "acme/api"}},
    "merge_commit": {"hash": "d" * 12, "date": _CHANGED},
    "created_on": _CREATED,
    "updated_on": _CHANGED,
    "closed_on": _CHANGED,
    "reason": "",
    "comment_count": 1,
    "task_count": 0,
    "reviewers": [_REVIEWER],
    "participants": [
        {"user": _REVIEWER, "role": "REVIEWER", "approved": True, "state": "approved", "participated_on": _CHANGED},
        {"user": _AUTHOR, "role": "PARTICIPANT", "approved": False, "state": None, "participated_on": None},
    ],
    "links": {"html": {"href": "https://bitbucket.org/acme/api/pull-requests/7"}},
}
_OF = {"id": 7, "title": "Add search", "type": "pullrequest"}
_ENTRIES = [
    {"pull_request": _OF, "approval": {"date": _CHANGED, "user": _REVIEWER}},
    {
        "pull_request": _OF,
        "comment": {
            "id": 5,
            "user": _REVIEWER,
            "created_on": "2026-10-01T12:00:00+00:00",
            "updated_on": "2026-10-01T12:00:00.1+00:00",
            "content": {"raw": "Why?"},
            "inline": {"path": "a.py", "to": 3, "from": None},
            "parent": {"id": 4},
            "deleted": False,
            "links": {"html": {"href": "https://bitbucket.org/acme/api/pull-requests/7#comment-5"}},
        },
    },
    {
        "pull_request": _OF,
        "update": {
            "date": _CREATED,
            "author": _AUTHOR,
            "state": "OPEN",
            "draft": False,
            "reviewers": [_REVIEWER],
            "source": {"commit": {"hash": "a" * 12}},
            "changes": {"status": {"old": "open", "new": "fulfilled"}, "draft": {"old": True, "new": False}},
        },
    },
]
_RELEASE = {
    "uuid": "{5}",
    "name": "#1",
    "created_on": "2026-10-03T07:59:00Z",
    "url": "https://bitbucket.org/acme/api/addon/pipelines/home#!/results/1",
    "pipeline": {"uuid": "{1}"},
    "commit": {"hash": "a" * 40},
}
_ENVIRONMENT = {
    "uuid": "{3}",
    "name": "Production",
    "slug": "production",
    "rank": 2,
    "hidden": False,
    "environment_type": {"name": "Production", "rank": 2},
    "category": {"name": "Production"},
    "lock": {"name": "OPEN"},
    "restrictions": {"admin_only": False},
}


def with_rows(rows: list[Any]) -> dict[str, Any]:
    """Return the only page of a list."""
    return {"values": rows, "page": 1, "pagelen": 100, "size": len(rows)}


#: Path -> the answer.
ANSWERS: dict[str, dict[str, Any]] = {
    f"{_REPOSITORY}/pullrequests": with_rows([_PULL_REQUEST]),
    f"{_REPOSITORY}/pullrequests/activity": with_rows(_ENTRIES),
    f"{_REPOSITORY}/pullrequests/7/activity": with_rows(_ENTRIES),
    f"{_REPOSITORY}/pullrequests/7/commits": with_rows([_COMMIT]),
    f"{_REPOSITORY}/pullrequests/7/diffstat": with_rows(
        [{"status": "modified", "lines_added": 3, "lines_removed": 1, "old": {"path": "a.py"}, "new": {"path": "a.py"}}]
    ),
    f"{_REPOSITORY}/pullrequests/7/statuses": with_rows(
        [
            {
                "key": "lint",
                "state": "SUCCESSFUL",
                "name": "Lint",
                "description": "",
                "refname": "search",
                "commit": {"hash": "a" * 40},
                "url": "https://ci.example.com/1",
                "created_on": _CREATED,
                "updated_on": _CHANGED,
            }
        ]
    ),
    f"{_REPOSITORY}/commits": with_rows([_COMMIT]),
    f"{_REPOSITORY}/refs/branches": with_rows(
        [
            {
                "name": "main",
                "target": _COMMIT,
                "default_merge_strategy": "squash",
                "links": {"html": {"href": "https://bitbucket.org/acme/api/branch/main"}},
            }
        ]
    ),
    f"{_REPOSITORY}/environments/": with_rows([_ENVIRONMENT]),
    f"{_REPOSITORY}/deployments/": with_rows(
        [
            {
                "uuid": "{4}",
                "environment": {"uuid": "{3}"},
                "state": {
                    "name": "COMPLETED",
                    "status": {"name": "SUCCESSFUL"},
                    "started_on": "2026-10-03T08:00:00Z",
                    "completed_on": "2026-10-03T08:01:00Z",
                    "url": "https://bitbucket.org/acme/api/addon/pipelines/home#!/results/1/steps/{2}",
                },
                "release": _RELEASE,
                "deployable": {**_RELEASE, "type": "deployment_release"},
                "step": {"uuid": "{2}"},
                "commit": {"hash": "a" * 40},
                "last_update_time": "2026-10-03T08:01:01.1Z",
            }
        ]
    ),
    f"{_REPOSITORY}/pipelines/": with_rows(
        [
            {
                "uuid": "{1}",
                "build_number": 1,
                "run_number": 1,
                "creator": _AUTHOR,
                "trigger": {"name": "PUSH"},
                "target": {
                    "ref_type": "branch",
                    "ref_name": "main",
                    "commit": {"hash": "a" * 40},
                    "selector": {"type": "branches", "pattern": "main"},
                },
                "state": {"name": "COMPLETED", "result": {"name": "SUCCESSFUL"}},
                "created_on": "2026-10-03T07:59:00Z",
                "completed_on": "2026-10-03T08:01:00.5Z",
                "duration_in_seconds": 60,
                "build_seconds_used": 60,
            }
        ]
    ),
    f"{_REPOSITORY}/pipelines/%7B1%7D/steps": with_rows([_STEP]),
    f"{_REPOSITORY}/pipelines/%7B1%7D/steps/%7B2%7D/test_reports": {
        "number_of_test_cases": 10,
        "number_of_successful_test_cases": 9,
        "number_of_failed_test_cases": 1,
        "number_of_error_test_cases": 0,
        "number_of_skipped_test_cases": 0,
    },
    _REPOSITORY: {
        "uuid": "{9}",
        "slug": "api",
        "name": "API",
        "full_name": "acme/api",
        "description": "",
        "project": {"key": "P", "name": "Project"},
        "owner": {"uuid": "{t}", "display_name": "Acme", "type": "team"},
        "mainbranch": {"name": "main"},
        "language": "python",
        "is_private": True,
        "parent": None,
        "size": 1000,
        "created_on": _CREATED,
        "updated_on": _CHANGED,
        "links": {"html": {"href": "https://bitbucket.org/acme/api"}},
    },
    "/2.0/workspaces/acme/members": with_rows([{"type": "workspace_membership", "user": _AUTHOR}]),
}
ANSWERS["/2.0/repositories/acme/%7B9%7D"] = ANSWERS[_REPOSITORY]
ANSWERS["/2.0/repositories/acme"] = with_rows([ANSWERS[_REPOSITORY]])


def serve(web: WebServer, answers: Mapping[str, Any] = ANSWERS) -> None:
    """Answer so."""
    for path, answer in answers.items():
        web.answer(path, answer)


def client_for(web: WebServer) -> BitbucketClient:
    """A client of the server."""
    return BitbucketClient(AccessToken("t0ken"), "acme", web.api_url, retries=NO_RETRIES)
