"""The buttons that link from a task in Airflow to Bitbucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_bitbucket.client import PipelineOutcome

__all__ = [
    "BitbucketPipelineLink",
    "BitbucketPullRequestLink",
    "BitbucketReportLink",
]

PIPELINE_URL_XCOM = "pipeline_url"
PIPELINE_UUID_XCOM = "pipeline_uuid"
REPORT_URL_XCOM = "report_url"
PULL_REQUEST_URL_XCOM = "pull_request_url"


class BitbucketPipelineLink(BaseOperatorLink):
    """Button "Bitbucket pipeline": the page of the pipeline that the task started."""

    name = "Bitbucket pipeline"
    # The operator pushes this XCom right after the start, so the button works while the task runs.
    xcom_key = PIPELINE_URL_XCOM

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the pipeline, empty if none was started."""
        return XCom.get_value(key=PIPELINE_URL_XCOM, ti_key=ti_key) or ""


class BitbucketPullRequestLink(BaseOperatorLink):
    """Button "Bitbucket pull request": the page of the pull request that the task changed."""

    name = "Bitbucket pull request"
    xcom_key = PULL_REQUEST_URL_XCOM

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address from XCom, or nothing when the task has not come that far."""
        return XCom.get_value(key=PULL_REQUEST_URL_XCOM, ti_key=ti_key) or ""


class BitbucketReportLink(BaseOperatorLink):
    """Button "Report": the page that the task wrote, if it has a URL."""

    name = "Report"
    xcom_key = REPORT_URL_XCOM

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the page, empty if there is none."""
        return XCom.get_value(key=REPORT_URL_XCOM, ti_key=ti_key) or ""


def push_pipeline(context: Context, outcome: PipelineOutcome) -> None:
    """Push the XComs that identify a pipeline: uuid, build number and address."""
    for key, value in (
        (PIPELINE_UUID_XCOM, outcome.uuid),
        ("build_number", outcome.build_number),
        (PIPELINE_URL_XCOM, outcome.url),
    ):
        context["ti"].xcom_push(key=key, value=value)


def push_pull_request(context: Context, summary: dict[str, Any]) -> dict[str, Any]:
    """Leave the XComs of a pull request: for the button, and its number, which other tasks take as ``task.output["id"]``.

    :param summary: of the pull request, with its ``url`` and ``id``
    :return: the summary
    """
    for key, value in ((PULL_REQUEST_URL_XCOM, summary["url"]), ("id", summary["id"])):
        context["ti"].xcom_push(key=key, value=value)
    return summary
