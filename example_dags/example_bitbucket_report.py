"""Every Monday: the delivery metrics of the workspace in the last whole weeks, as a page, a CSV file, and an e-mail.

The e-mail goes to the addresses in `mail_to` and needs an Airflow connection `smtp_default`; without addresses it is skipped.
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
        # The page with charts, and the numbers. Attachments are local files: leave this out if they are on s3:// or the like.
        files=["{{ ti.xcom_pull(task_ids='report')['path'] }}", "{{ ti.xcom_pull(task_ids='report')['csv'] }}"],
    )

    report >> has_readers() >> mail


example_bitbucket_report()
