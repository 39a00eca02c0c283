"""Every Monday: how the workspace did in the last whole weeks, as an HTML page, and as an e-mail to those in ``mail_to``.

The e-mail needs an Airflow connection ``smtp_default``; without readers it is skipped.
"""

from __future__ import annotations

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Param, dag, task

from airflow_provider_bitbucket.operators.report import BitbucketReportOperator


@dag(
    schedule="0 6 * * 1",
    catchup=False,
    tags=["bitbucket", "example"],
    params={
        "output": Param(
            "/tmp/bitbucket-report",  # noqa: S108 - an example; yours is s3:// or the like
            type="string",
            title="Output folder",
            description="Any path of ObjectStoragePath, such as s3://bucket/report.",
        ),
        "mail_to": Param(
            [], type="array", title="Recipients", description="E-mail addresses; without any the e-mail is skipped."
        ),
    },
    doc_md=__doc__,
)
def example_bitbucket_report() -> None:
    report = BitbucketReportOperator(task_id="report", weeks=4, output_path="{{ params.output }}/report.html")

    @task.short_circuit
    def has_readers(params: dict | None = None) -> bool:
        """Skip the e-mail if it has no recipient."""
        return bool(params["mail_to"])

    mail = EmailOperator(
        task_id="mail",
        to="{{ params.mail_to | join(',') }}",
        from_email="airflow@example.com",
        subject="{{ ti.xcom_pull(task_ids='report')['subject'] }}",
        html_content="{{ ti.xcom_pull(task_ids='report', key='email_html') }}",
        files=[
            "{{ ti.xcom_pull(task_ids='report')['path'] }}"
        ],  # the page, with pictures; leave out if it is on s3:// or the like
    )

    report >> has_readers() >> mail


example_bitbucket_report()
