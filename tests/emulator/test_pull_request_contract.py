"""Pull requests of the demo conform to Bitbucket's published OpenAPI, also with fields that the tour does not request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import PULLS, change, create_pull_request
from tests.openapi import OpenApi

STATES = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]


@pytest.mark.parametrize("slug", ["api", "infrastructure", "docs"])
def test_pull_requests_of_the_demo_have_the_documented_shape(bitbucket_demo: BitbucketEmulator, slug: str) -> None:
    openapi, session = OpenApi.load(), requests.Session()
    session.auth = bitbucket_demo.api_token

    def get(path: str, **params: Any) -> Any:
        answer = session.get(f"{bitbucket_demo.api_url}/repositories/acme/{slug}{path}", params=params, timeout=10)
        assert answer.status_code == 200, answer.text
        openapi.validate_response("GET", urlsplit(answer.url).path, 200, answer.json())
        return answer.json()["values"]

    pulls = get("/pullrequests", state=STATES, pagelen=50, fields="+values.participants,+values.reviewers,+values.closed_on")
    assert {one["state"] for one in pulls} >= {"MERGED", "DECLINED"}
    for one in pulls[:3]:
        for part in ("comments", "tasks", "commits", "statuses", "diffstat", "activity"):
            get(f"/pullrequests/{one['id']}/{part}")


def test_deviations_from_the_openapi_are_those_of_the_live_api(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    openapi = OpenApi.load()
    number = create_pull_request(bitbucket_emulator, events=[{"do": "merge"}])
    schema = {"$ref": "#/components/schemas/pullrequest"}
    extras = "+merge_commit.date,+merge_commit.author,+closed_on,+destination.branch.merge_strategies"
    known = set(openapi.problems(call(f"{PULLS}/{number}").json(), schema))
    change(bitbucket_emulator, number, author=None, source_deleted=True, source_branch=None)
    deviations = set(openapi.problems(call(f"{PULLS}/{number}", params={"fields": extras}).json(), schema)) - known
    assert deviations == {
        "author: null",
        "source/branch: null",
        "source/repository: null",
        "merge_commit: has 'author', which is not documented",
        "merge_commit: has 'date', which is not documented",
    }
