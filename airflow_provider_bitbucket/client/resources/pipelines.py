"""Pipelines: start, poll, read logs and test reports, stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import quote

from airflow_provider_bitbucket.client.api import Api
from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, keep_envelope, rows_of
from airflow_provider_bitbucket.client.pipeline_state import PipelineOutcome, evaluate, is_identified, step_result
from airflow_provider_bitbucket.client.pipeline_target import PipelineTarget
from airflow_provider_bitbucket.client.resources.pipeline_requests import PipelineRequests, as_query, refusal
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import (
    BitbucketAmbiguousError,
    BitbucketError,
    BitbucketNotFoundError,
    BitbucketServerError,
)
from airflow_provider_bitbucket.client.transport.malformed import UNREADABLE, malformed_as_error
from airflow_provider_bitbucket.client.transport.text import lines as lines_of
from airflow_provider_bitbucket.client.transport.text import one_line
from airflow_provider_bitbucket.client.transport.urls import segment

#: Enough for the last lines of a log, in one request.
_TAIL_BYTES = 16_384
_FULL_HASH = 40
_MOST_FAILED_STEPS = 3
_MOST_FAILED_CASES = 10
#: Test cases that are looked through for failed ones: ten requests.
_MOST_CASES = 1000

#: What the list can be filtered by: SUCCESSFUL is called PASSED here, RUNNING is called BUILDING.
#: IN_PROGRESS is not in the published OpenAPI; Atlassian's staff name it.
STATUS_FILTERS = (
    *("PARSING", "PENDING", "PAUSED", "HALTED", "BUILDING", "IN_PROGRESS"),
    *("ERROR", "PASSED", "FAILED", "STOPPED", "UNKNOWN"),
)

#: What :meth:`Pipelines.evaluate` and a summary need of each pipeline in the list. Bitbucket may ignore it and send all.
_POLL_FIELDS = ",".join(
    f"values.{name}"
    for name in (
        *("uuid", "build_number", "state", "created_on", "completed_on", "duration_in_seconds"),
        *("target.ref_name", "target.source", "target.commit.hash"),
    )
)


class Pipelines(Resource):
    """Pipelines of a repository. Wherever a pipeline is named, its uuid and its build number both do."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._requests = PipelineRequests(api)

    def trigger(
        self,
        repository: str,
        *,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        pull_request: int | str | None = None,
        custom_pipeline: str | None = None,
        selector: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        definition: str | None = None,
    ) -> dict[str, Any]:
        """Start a pipeline and return it as Bitbucket created it (state PARSING or PENDING).

        :param repository: slug, or ``workspace/slug``
        :param branch: run on the head of this branch; exactly one of branch, tag, commit and pull_request is given, except that
            ``commit`` may accompany ``branch`` or ``tag``
        :param tag: run on this tag
        :param commit: run on this commit (a short hash costs one more request). Beside ``branch`` or ``tag``: run exactly this
            commit in that context. Alone it needs ``custom_pipeline`` or ``selector``.
        :param pull_request: run the pull-request pipeline of this number (three more requests: it, and its two full hashes)
        :param custom_pipeline: a name under ``custom:`` in ``bitbucket-pipelines.yml``
        :param selector: any other selector, such as ``{"type": "branches", "pattern": "release/*"}``
        :param variables: ``{"NAME": "value"}``, or a list of ``{"key", "value", "secured"}``
        :param definition: YAML in the form of ``bitbucket-pipelines.yml`` that is run instead of the repository's. The request
            has the variables in its address, so secured ones are refused
        :raises ValueError: not exactly one target, both selectors, or variables that are none
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been started
        :raises BitbucketError: Bitbucket refused; the message says which part of the request was wrong
        """
        target = PipelineTarget(
            branch=branch,
            tag=tag,
            commit=commit,
            pull_request=pull_request,
            custom_pipeline=custom_pipeline,
            selector=selector,
        )
        return self.start(repository, self.prepare(repository, target, variables, definition))

    def prepare(
        self,
        repository: str,
        target: PipelineTarget,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        definition: str | None = None,
    ) -> dict[str, Any]:
        """Return the request that starts a pipeline, with all that Bitbucket has to be asked for first.

        :param repository: slug, or ``workspace/slug``
        :param target: what to run on; a pull request costs three requests, a short hash one
        :param variables: as for :meth:`trigger`
        :param definition: as for :meth:`trigger`
        :raises ValueError: variables that are none, or secured beside a definition, or a pull request that cannot run
        """
        return self._requests.prepare(repository, target, variables, definition)

    def start(self, repository: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a pipeline with one request, as :meth:`prepare` gives it; returns and raises as :meth:`trigger`."""
        path = self._list_path(repository)
        try:
            if definition := request.get("definition"):
                started = self._api.post_yaml(path, definition, as_query(request))
            else:
                started = self._api.post(path, request)
        except BitbucketError as error:
            if sentence := refusal(error, self._api.full_name(repository), request):
                raise error.with_message(sentence) from error
            raise
        try:
            self.evaluate(repository, started)
        except BitbucketServerError as error:
            problem = f"Bitbucket accepted the request but returned no pipeline id. {error}"
            raise BitbucketAmbiguousError(problem, method="POST") from error
        return started

    def get(self, repository: str, pipeline: str | int) -> dict[str, Any]:
        """Return a pipeline."""
        return self._api.get(self._path(repository, pipeline))

    def outcome(self, repository: str, pipeline: str | int) -> PipelineOutcome:
        """Return the state and result of a pipeline. Costs one request.

        :raises BitbucketServerError: among others, for a malformed response; the message names the pipeline
        """
        answer = self.get(repository, pipeline)
        try:
            return self.evaluate(repository, answer)
        except BitbucketServerError as error:
            about = f"pipeline {pipeline} of {self._api.full_name(repository)}"
            raise error.with_message(f"The state of {about} cannot be read. {error.message}") from error

    def evaluate(self, repository: str, pipeline: Mapping[str, Any], *, strict: bool = True) -> PipelineOutcome:
        """Return what a pipeline's JSON means, with the address of its web page.

        :param strict: False: a completed pipeline without a readable result has an unknown status, instead of an error
        :raises BitbucketServerError: the response is malformed and says nothing about the pipeline; transient
        """
        full_name = self._api.full_name(repository)
        with malformed_as_error(f"a pipeline of {full_name}"):
            return evaluate(pipeline, f"{self._api.web_url}/{quote(full_name)}/pipelines/results", strict=strict)

    def list(
        self,
        repository: str,
        *,
        branch: str | None = None,
        ref_name: str | None = None,
        ref_type: str | None = None,
        commit: str | None = None,
        selector_type: str | None = None,
        selector_pattern: str | None = None,
        creator: str | None = None,
        trigger_type: str | None = None,
        status: str | Iterable[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield pipelines, newest first. Costs one request for every 100; take only what you need.

        :param repository: slug, or ``workspace/slug``
        :param branch: only of this branch, those of its pull requests too
        :param ref_name: only of this branch or tag
        :param ref_type: BRANCH, TAG or ANNOTATED_TAG
        :param commit: only of this commit, all 40 characters
        :param selector_type: BRANCH, TAG, CUSTOM, PULLREQUESTS or DEFAULT
        :param selector_pattern: only of this custom pipeline, or branch pattern
        :param creator: uuid of who started it
        :param trigger_type: PUSH, MANUAL, SCHEDULED or PARENT_STEP
        :param status: one or several of :data:`STATUS_FILTERS`, which are other words than those of the states
        :raises ValueError: a value that Bitbucket would answer with an empty list, whatever there is
        """
        statuses = [status] if isinstance(status, str) else [*(status or ())]
        if unknown := set(statuses) - set(STATUS_FILTERS):
            raise ValueError(f"Pipelines cannot be filtered by status {sorted(unknown)}; expected some of {STATUS_FILTERS}")
        if commit and len(commit) != _FULL_HASH:
            raise ValueError(f"commit is {commit!r}; pipelines are found by the full hash of 40 characters only")
        filters = {
            "target.branch": branch,
            "target.ref_name": ref_name,
            "target.ref_type": ref_type,
            "target.commit.hash": commit,
            "target.selector.type": selector_type,
            "target.selector.pattern": selector_pattern,
            "creator.uuid": creator,
            "trigger_type": trigger_type,
            "status": statuses or None,
        }
        params = {"sort": "-created_on", **{name: value for name, value in filters.items() if value}}
        return self._api.paginate(self._list_path(repository), params, count_pages=True)

    def newest(self, repository: str, page: int = 1) -> Sequence[dict[str, Any]]:
        """Return a page of :data:`~airflow_provider_bitbucket.client.paging.LARGEST_PAGE` pipelines, newest first.

        They have what :meth:`evaluate` needs and hardly more; rows that name no pipeline are left out. Costs one request,
        whichever page.

        :param page: from 1 on; empty past the last
        """
        params = {"sort": "-created_on", "pagelen": LARGEST_PAGE, "page": page, "fields": keep_envelope(_POLL_FIELDS)}
        path = self._list_path(repository)
        # Filtered, because a malformed row must not hide the pipelines in the others.
        return [*filter(is_identified, rows_of(self._api.get(path, params), path))]

    def steps(self, repository: str, pipeline: str | int) -> Sequence[dict[str, Any]]:
        """Return all steps; none until the YAML has been parsed. Paging parameters are ignored here."""
        return [*self._api.paginate(f"{self._path(repository, pipeline)}/steps")]

    def log(
        self,
        repository: str,
        pipeline: str | int,
        step: str,
        *,
        start: int | None = None,
        end: int | None = None,
        last: int | None = None,
    ) -> bytes:
        """Return the log of a step, or a part of it; empty past its end.

        :param start: first byte
        :param end: last byte, included
        :param last: so many bytes from the end, in place of start and end
        :raises BitbucketNotFoundError: the step has not started, was not run, or its log has expired
        """
        wanted = slice(None)
        # A finished log is a redirect to storage on another host; JSON is refused with 406.
        headers = {"Accept": "application/octet-stream"}
        if last is not None:
            wanted, headers["Range"] = slice(-last, None), f"bytes=-{last}"
        elif start is not None or end is not None:
            wanted = slice(start or 0, None if end is None else end + 1)
            headers["Range"] = f"bytes={start or 0}-{'' if end is None else end}"
        if "Range" in headers:
            headers["Accept-Encoding"] = "identity"  # a part of a packed log could not be unpacked
        try:
            path = f"{self._path(repository, pipeline)}/steps/{segment(step)}/log"
            response = self._api.request("GET", path, headers=headers, part=wanted)
        except BitbucketError as error:
            if error.status == 416:
                return b""
            raise
        return response.content  # also where the server ignored Range: the client has read only this part

    def test_report(self, repository: str, pipeline: str | int, step: str) -> dict[str, Any] | None:
        """Return the counts of a step's test report, None when it has none."""
        try:
            return self._api.get(f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports")
        except BitbucketNotFoundError:
            return None

    def test_cases(self, repository: str, pipeline: str | int, step: str) -> Iterator[dict[str, Any]]:
        """Yield the test cases of a step that has a report."""
        return self._api.paginate(f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports/test_cases")

    def test_case_reasons(self, repository: str, pipeline: str | int, step: str, case: str) -> dict[str, Any]:
        """Return why a test case failed."""
        path = f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports/test_cases/{segment(case)}"
        return self._api.get(f"{path}/test_case_reasons")

    def stop(self, repository: str, pipeline: str | int) -> bool:
        """Request that a pipeline stops, which takes some seconds. False if it was completed already.

        A pipeline paused at a manual step takes the request and stays paused.
        """
        try:
            # Stopping twice does no harm, so a lost answer is no reason not to ask again.
            self._api.request("POST", f"{self._path(repository, pipeline)}/stopPipeline", idempotent=True)
        except BitbucketError as error:
            if error.status == 400 and "already complete" in error.message:
                return False
            raise
        return True

    def failure_details(self, repository: str, outcome: PipelineOutcome, *, log_lines: int = 30) -> str:
        """Report why a pipeline failed: the failed steps, the end of their logs, failed test cases.

        Costs one request for the steps and up to three for each failed step (three steps at most). What cannot be read is
        reported in the text and not raised.

        :param log_lines: how many lines of each log; 0: do not read it
        """
        try:
            steps = [*filter(_has_uuid, self.steps(repository, outcome.uuid))]
        except (BitbucketError, *UNREADABLE) as error:
            return f"Its steps could not be read: {error}"
        failed = [step for step in steps if step_result(step) in ("FAILED", "ERROR")]
        details = [self._step_details(repository, outcome, step, log_lines) for step in failed[:_MOST_FAILED_STEPS]]
        rest = len(failed) - len(details)
        return "\n".join([*details, *([f"... and {rest} more failed steps"] if rest else [])])

    def _step_details(self, repository: str, outcome: PipelineOutcome, step: Mapping[str, Any], log_lines: int) -> str:
        lines = [f"Step '{one_line(str(step.get('name') or step['uuid']))}': {one_line(step_result(step))}"]
        with suppress(*UNREADABLE):
            if problem := step["state"]["result"]["error"]:
                lines.append(f"  {one_line(str(problem.get('message') or problem.get('key')))}")
        try:
            lines += [f"  failed test: {name}" for name in self._failed_tests(repository, outcome, step["uuid"])]
        except (BitbucketError, *UNREADABLE) as error:
            lines.append(f"  its test report could not be read: {getattr(error, 'message', error)}")
        if not log_lines:
            return "\n".join(lines)
        try:
            text = self.log(repository, outcome.uuid, step["uuid"], last=_TAIL_BYTES).decode("utf-8", "replace")
            lines += [f"  | {line}" for line in lines_of(text)[-log_lines:]]
        except (BitbucketError, *UNREADABLE) as error:
            lines.append(f"  its log could not be read: {getattr(error, 'message', error)}")
        return "\n".join(lines)

    def _failed_tests(self, repository: str, outcome: PipelineOutcome, step: str) -> Sequence[str]:
        report = self.test_report(repository, outcome.uuid, step) or {}
        count = sum(report.get(f"number_of_{kind}_test_cases") or 0 for kind in ("failed", "error"))
        if not count:
            return []
        cases = islice(self.test_cases(repository, outcome.uuid, step), _MOST_CASES)
        failed = (case for case in cases if case.get("status") in ("FAILED", "ERROR"))
        shown = min(count, _MOST_FAILED_CASES)
        names = [one_line(str(case.get("fully_qualified_name") or case.get("name"))) for case in islice(failed, shown)]
        return [*names, f"... {count} in all"] if count > len(names) else names

    def _list_path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/pipelines/"  # without the slash some have seen 404

    def _path(self, repository: str, pipeline: str | int) -> str:
        return f"{self._list_path(repository)}{segment(pipeline)}"


def _has_uuid(step: Any) -> bool:
    return isinstance(step, Mapping) and isinstance(step.get("uuid"), str)
