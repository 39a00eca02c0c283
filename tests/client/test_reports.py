"""Reports and annotations arrive whole, within Bitbucket's limits, once."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.client.types import Annotation, Report
from bitbucket_cloud_emulator import BitbucketEmulator

REPORT: Report = {
    "title": "Orders",
    "details": "2 of 3 data tests failed",
    "report_type": "TEST",
    "result": "FAILED",
    "link": "https://airflow.example.com/dags/etl",
}
POST_ANNOTATIONS = "POST /repositories/{workspace}/{repo_slug}/commit/{commit}/reports/{reportId}/annotations"


def findings(count: int) -> list[Annotation]:
    return [
        {"external_id": str(number), "annotation_type": "BUG", "summary": "Null id", "path": "README.md", "line": number}
        for number in range(1, count + 1)
    ]


def test_a_report_is_replaced_under_its_id_and_keeps_its_annotations(client: BitbucketClient) -> None:
    client.reports.put("api", "main", "etl.orders", REPORT)
    client.reports.annotate("api", "main", "etl.orders", findings(2))

    client.reports.put("api", "main", "etl.orders", {**REPORT, "result": "PASSED"})

    assert [(report["external_id"], report["result"]) for report in client.reports.list("api", "main")] == [
        ("etl.orders", "PASSED")
    ]
    assert len([*client.reports.annotations("api", "main", "etl.orders")]) == 2


def test_a_report_is_found_by_its_uuid_too(client: BitbucketClient) -> None:
    uuid = client.reports.put("api", "main", "orders", REPORT)["uuid"]

    assert client.reports.get("api", "main", uuid)["external_id"] == "orders"


def test_annotations_cost_a_request_for_every_hundred(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    client.reports.put("api", "main", "orders", REPORT)

    client.reports.annotate("api", "main", "orders", findings(250))

    assert bitbucket_emulator.requests()[POST_ANNOTATIONS] == 3
    assert len([*client.reports.annotations("api", "main", "orders")]) == 250


def test_annotations_whose_response_was_lost_are_there_once(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    client.reports.put("api", "main", "orders", REPORT)
    bitbucket_emulator.fault("lost_answer", method="POST", path="/annotations")

    client.reports.annotate("api", "main", "orders", findings(3))

    assert [row["external_id"] for row in client.reports.annotations("api", "main", "orders")] == ["1", "2", "3"]


def test_more_annotations_than_a_report_holds_are_refused_without_a_request(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.reset_requests()

    with pytest.raises(ValueError, match="1,001 annotations; a report holds at most 1,000"):
        client.reports.annotate("api", "main", "orders", findings(1001))
    assert not bitbucket_emulator.requests()


def test_a_report_goes_with_its_annotations(client: BitbucketClient) -> None:
    client.reports.put("api", "main", "orders", REPORT)
    client.reports.put_annotation("api", "main", "orders", "1", {"annotation_type": "BUG", "summary": "Null id"})
    client.reports.delete_annotation("api", "main", "orders", "1")
    assert [*client.reports.annotations("api", "main", "orders")] == []

    client.reports.delete("api", "main", "orders")

    assert [*client.reports.list("api", "main")] == []
    with pytest.raises(bitbucket.BitbucketNotFoundError, match="Report orders not found"):
        client.reports.get("api", "main", "orders")


def test_refusals_name_what_is_missing(client: BitbucketClient) -> None:
    with pytest.raises(bitbucket.BitbucketError, match=r"^Cannot build Report, some of .* not set \[details, report_type"):
        client.reports.put("api", "main", "orders", {"title": "Orders"})
    client.reports.put("api", "main", "orders", REPORT)
    with pytest.raises(bitbucket.BitbucketError, match=r"^Cannot build Annotation, .* \[summary\]"):
        client.reports.annotate("api", "main", "orders", [{"external_id": "1", "annotation_type": "BUG"}])
