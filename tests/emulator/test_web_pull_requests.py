"""The page of a pull request shows what a reviewer sees: builds, reports with annotations, comments."""

from __future__ import annotations

import re

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

API = "/repositories/acme/api"
REPORT = {
    "title": "Orders <b>",
    "details": "1 of 3 failed",
    "report_type": "TEST",
    "result": "FAILED",
    "link": "https://airflow.example.com/1",
    "data": [{"title": "Checks", "type": "NUMBER", "value": 3}],
}
COMMENT = "**`etl` failed** ([log](https://airflow.example.com/1)).\n\n```text\nValueError: <none>\n```\n\n[//]: # (airflow-1)"


@pytest.fixture
def page(bitbucket_emulator: BitbucketEmulator) -> str:
    """The page of a pull request with a status, a report and a comment."""
    session = requests.Session()
    session.auth = bitbucket_emulator.api_token

    def send(method: str, path: str, **options: object) -> requests.Response:
        response = session.request(method, f"{bitbucket_emulator.api_url}{API}/{path}", timeout=10, **options)  # type: ignore[arg-type]  # of requests
        response.raise_for_status()
        return response

    send("POST", "src", data={"branch": "topic", "orders.sql": "select 1\n"})
    send("POST", "pullrequests", json={"title": "Add a query", "source": {"branch": {"name": "topic"}}})
    status = {"key": "k", "state": "STOPPED", "url": "https://airflow.example.com/1", "name": "etl"}
    send("POST", "commit/topic/statuses/build", json=status)
    send("POST", "commit/topic/statuses/build", json={**status, "key": "x", "name": "elsewhere", "refname": "other"})
    send("PUT", "commit/topic/reports/orders", json=REPORT)
    finding = {
        "external_id": "1",
        "annotation_type": "BUG",
        "summary": "Null id",
        "path": "orders.sql",
        "line": 1,
        "severity": "HIGH",
    }
    send("POST", "commit/topic/reports/orders/annotations", json=[finding])
    send("POST", "pullrequests/1/comments", json={"content": {"raw": COMMENT}})
    return requests.get(f"{bitbucket_emulator.url}/acme/api/pull-requests/1", timeout=10).text


def test_builds_are_shown_without_those_of_other_branches(page: str) -> None:
    assert '<td>STOPPED</td><td><a href="https://airflow.example.com/1">etl</a></td>' in page
    assert "elsewhere" not in page


def test_a_report_is_shown_with_its_figures_and_annotations(page: str) -> None:
    assert '<h3>FAILED &middot; <a href="https://airflow.example.com/1">Orders &lt;b&gt;</a></h3>' in page
    assert "<p>Checks: 3</p>" in page
    assert "<td>HIGH</td><td>Null id</td><td>orders.sql:1</td>" in page


def test_a_comment_is_shown_as_rendered_without_its_marker(page: str) -> None:
    comment = re.sub(r"\s+", " ", page[page.index("<h2>Comments</h2>") : page.index("<h2>Activity</h2>")])
    assert '<b><code>etl</code> failed</b> (<a href="https://airflow.example.com/1">log</a>).' in comment
    assert "<pre>ValueError: &lt;none&gt;</pre>" in comment
    assert "airflow-1" not in comment
