"""Write a report of the delivery metrics as a page and an e-mail."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.links import REPORT_URL_XCOM, BitbucketReportLink
from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator
from airflow_provider_bitbucket.parameters import (
    Templated,
    flag,
    interval,
    name,
    names,
    records,
    required_location,
    required_number,
)

if TYPE_CHECKING:
    import pandas as pd
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.report import Period, Report

__all__ = ["BitbucketReportOperator"]

EMAIL_XCOM = "email_html"


class BitbucketReportOperator(BitbucketFrameOperator):
    """Write the delivery metrics of a workspace or its repositories in a period as one HTML page and as an e-mail.

    Both have the same contents: headline numbers and their change from the period before, cycle time, throughput, pipelines and
    deployments by week, review load by person, the slowest and the longest open pull requests. The page, which has charts and
    needs no other file, is written to ``output_path``, and a CSV file of the numbers beside it; the e-mail has numbers only,
    because mail programs drop images.
    docs/metrics.md defines the metrics. Needs the extra ``report``. Costs as much as ``cycle_time``, ``pipeline_health``,
    ``dora`` and ``stale_pull_requests`` for twice the period, with shared datasets read once.

    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/report.html`` (templated); an existing file is
        replaced, a folder never
    :param weeks: number of whole weeks (Monday to Sunday, UTC) before the end of the data interval, if ``since`` is not set
    :param incidents: your incidents, which replace the proxies of change failure rate and time to recover, as for
        :class:`~airflow_provider_bitbucket.operators.metrics.BitbucketMetricsOperator` (templated)
    :param with_diffstat: show the size of pull requests, at two requests for every pull request
    :param page_url: URL at which readers can open the page, such as that of a web server in front of the bucket: for the link in
        the e-mail and the button "Report" (templated)
    :param exclude_people: display names of people whom the report does not name; ``*``: no names at all (templated)
    :param title: heading; default: the name of the workspace or the repository (templated)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); default: ``weeks`` before ``until``
    :param until: end of the interval, exclusive (templated); default: the last Monday in UTC up to the end of the data interval,
        else the scheduled start of the run. The period before has the same length and ends at ``since``
    :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account (templated)
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task; ``skip``: the report is written
        without it and names it at the top
    :param operator: ``bitbucket_conn_id``, ``workspace``, ``run_as`` and the other parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: ``path``, ``csv`` (path of the CSV file), ``subject`` (for an e-mail), ``summary`` (a sentence), ``since``,
        ``until``, ``headline``: name -> ``value`` (seconds, share between 0 and 1, or count; None: no data), ``before``,
        ``verdict`` (``better``, ``worse``, ``same``, ``neutral`` or ``unknown``: too few to compare) and ``text``;
        ``missing``: sentences about data that could not be read, as on the page. XCom ``email_html`` is the e-mail,
        ``report_url`` is ``page_url``
    :raises AirflowFailException: matplotlib is not installed; no request has been made then
    :raises ValueError: a malformed timestamp, incidents or ``page_url``; an empty period; an ``output_path`` that may not be
        written
    :raises BitbucketError: a repository cannot be read
    """

    template_fields = (*BitbucketFrameOperator.template_fields, "title", "incidents", "page_url", "exclude_people")
    incidents = Templated()
    parameter_kinds = {
        **BitbucketFrameOperator.parameter_kinds,
        "output_path": required_location,
        "title": name,
        "incidents": records,
        "page_url": lambda parameter, value: _web_url(parameter, value),
        "exclude_people": names,
    }
    operator_extra_links = (BitbucketReportLink(),)

    def __init__(
        self,
        *,
        output_path: str,
        weeks: int = 4,
        title: str | None = None,
        incidents: Any = None,
        with_diffstat: bool = False,
        page_url: str | None = None,
        exclude_people: Collection[str] | str = (),
        **operator: Any,
    ) -> None:
        super().__init__(output_path=output_path, **operator)
        self.weeks = required_number("weeks", weeks)
        self.title = title
        self.incidents = incidents
        self.with_diffstat = flag("with_diffstat", with_diffstat)
        self.page_url = page_url
        self.exclude_people = exclude_people

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the datasets and write the report."""
        from airflow_provider_bitbucket import report

        try:
            report.check_extra()
        except ImportError as error:
            raise AirflowFailException(str(error)) from error
        path = self.check_output(output_format="HTML")
        csv_path = _beside(path)
        self.hook.files.check(csv_path, output_format=None)
        period = self._period(context)
        repositories = self.hook.datasets.repository_names(self.repositories)
        frames = self._read(period, repositories)
        written = report.write(
            frames,
            period,
            repositories,
            self.hook.get_conn().web_url,
            self.title,
            exclude_people=self.exclude_people or (),
            with_incidents=self.incidents is not None,
        )
        self.hook.files.write_text(report.csv(frames, period), csv_path)
        self.hook.files.write_text(report.page(written), path)
        if self.do_xcom_push and "ti" in context:
            context["ti"].xcom_push(key=EMAIL_XCOM, value=report.email(written, path, self.page_url))
            if self.page_url:
                context["ti"].xcom_push(key=REPORT_URL_XCOM, value=self.page_url)
        self.log.info("Wrote the report of %s to %s.", period.words, self.page_url or path)
        return {"path": self.output_path, "csv": csv_path, **_result(written)}

    def _read(self, period: Period, repositories: list[str]) -> dict[str, pd.DataFrame]:
        from airflow_provider_bitbucket import report
        from airflow_provider_bitbucket.hooks.incidents import read_incidents

        incidents = None if self.incidents is None else read_incidents(self.incidents, self.hook.datasets.full_name)
        return self.hook.metrics.get_dfs(
            report.required_metrics(period, tuple(self.bots or ()), incidents),
            repositories,
            on_repository_error=self.on_repository_error,
            options=["with_diffstat"] if self.with_diffstat else [],
        )

    def _period(self, context: Context) -> Period:
        from airflow_provider_bitbucket import report

        since, until = interval(self.since, self.until)
        if since and until:
            return report.Period(since, until)
        if until:
            return report.Period(until - self.weeks * report.WEEK, until)
        last = report.last_whole_weeks(_now_of(context), self.weeks)
        return report.Period(since, last.until) if since else last


def _now_of(context: Context) -> datetime:
    """Return the end of the run's data interval; for a manual run, which has none, its scheduled start."""
    end = context.get("data_interval_end") or getattr(context.get("dag_run"), "run_after", None) or datetime.now(UTC)
    return datetime.fromtimestamp(end.timestamp(), UTC)


def _result(written: Report) -> dict[str, Any]:
    headline = {
        tile.name: {"value": tile.number, "before": tile.before, "verdict": tile.verdict, "text": tile.text}
        for tile in written.tiles
    }
    period = written.period
    return {
        "subject": written.subject,
        "summary": written.summary,
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "missing": list(written.missing),
        "headline": headline,
    }


def _beside(path: str) -> str:
    """Return the path of the CSV file beside a page; its name has only characters that every file system and mailer accepts."""
    folder, slash, page = path.rpartition("/")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", page.rpartition(".")[0] or page).strip("-.") or "report"
    return f"{folder}{slash}{stem}.csv"


def _web_url(parameter: str, value: Any) -> str | None:
    """Return the URL of a web page; None if it is blank.

    :raises ValueError: it is not an http or https URL
    """
    url = name(parameter, value)
    if url is not None and not re.fullmatch(r"https?://[^\s/][^\s]*", url):
        raise ValueError(f"{parameter} is {url!r}; expected a URL that begins with https:// or http://")
    return url
