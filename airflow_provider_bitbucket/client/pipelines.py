"""Pipelines: start, look, read logs and test reports, stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_bitbucket.client.errors import BitbucketError, BitbucketNotFoundError
from airflow_provider_bitbucket.client.pipeline_state import PipelineOutcome, evaluate, step_result
from airflow_provider_bitbucket.client.pipeline_target import build_target, describe_target, variable_list
from airflow_provider_bitbucket.client.resource import Resource
from airflow_provider_bitbucket.client.urls import segment

#: Enough for the last lines of a log, in one request.
_TAIL_BYTES = 16_384


class Pipelines(Resource):
    """Pipelines of a repository. Wherever a pipeline is named, its uuid and its build number both do."""

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
    ) -> dict[str, Any]:
        """Start a pipeline and return it as Bitbucket created it (state PARSING or PENDING).

        :param repository: slug, or ``workspace/slug``
        :param branch: run on the head of this branch; exactly one of branch, tag, commit and pull_request is given
        :param tag: run on this tag
        :param commit: run on this commit (40 characters); needs ``custom_pipeline`` or ``selector``
        :param pull_request: run the pull-request pipeline of this number (one or two more requests)
        :param custom_pipeline: a name under ``custom:`` in ``bitbucket-pipelines.yml``
        :param selector: any other selector, such as ``{"type": "branches", "pattern": "release/*"}``
        :param variables: ``{"NAME": "value"}``, or a list of ``{"key", "value", "secured"}``
        :raises ValueError: not exactly one target, both selectors, or variables that are none
        :raises BitbucketAmbiguousError: sent, and the answer was lost: it may have been started
        :raises BitbucketError: Bitbucket refused; the message says which part of the request was wrong
        """
        target = build_target(
            branch=branch,
            tag=tag,
            commit=commit,
            pull_request=int(pull_request) if pull_request is not None else None,
            custom_pipeline=custom_pipeline,
            selector=selector,
        )
        body: dict[str, Any] = {"target": target}
        if listed := variable_list(variables):
            body["variables"] = listed
        if pull_request is not None:
            body["target"] = {**target, **self._pull_request_target(repository, int(pull_request))}
        try:
            return self._client.post(self._list_path(repository), body)
        except BitbucketError as error:
            if sentence := self._refusal(error, repository, body["target"]):
                raise error.with_message(sentence) from error
            raise

    def get(self, repository: str, pipeline: str | int) -> dict[str, Any]:
        """Return a pipeline."""
        return self._client.get(self._path(repository, pipeline))

    def outcome(self, repository: str, pipeline: str | int) -> PipelineOutcome:
        """Return what has become of a pipeline so far. Costs one request."""
        return self.evaluate(repository, self.get(repository, pipeline))

    def evaluate(self, repository: str, pipeline: Mapping[str, Any]) -> PipelineOutcome:
        """Return what a pipeline's JSON means, with the address of its web page."""
        full_name = quote(self._client.full_name(repository))
        return evaluate(pipeline, f"{self._client.web_url}/{full_name}/pipelines/results")

    def list(self, repository: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield pipelines, newest first. Costs one request for every 100; take only what you need.

        :param repository: slug, or ``workspace/slug``
        :param filters: Bitbucket's own parameters with ``_`` for ``.``: ``target_branch="main"``, ``status="PASSED"``,
            ``trigger_type="MANUAL"``, ``creator_uuid="{...}"`` ...; ``q`` is ignored by this list
        """
        names = {name: name.replace("_", ".") for name in filters if name.startswith(("target_", "creator_"))}
        params = {names.get(name, name): value for name, value in filters.items() if value is not None}
        # Its next link loses the sort order, so that page 2 would be the oldest: pages are counted.
        return self._client.paginate(self._list_path(repository), {"sort": "-created_on", **params}, count_pages=True)

    def steps(self, repository: str, pipeline: str | int) -> Sequence[dict[str, Any]]:
        """Return all steps; none until the YAML has been parsed. Paging parameters are ignored here."""
        return [*self._client.paginate(f"{self._path(repository, pipeline)}/steps")]

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
        # A finished log is a redirect to storage on another host; JSON is refused with 406.
        headers = {"Accept": "application/octet-stream"}
        if last is not None:
            headers["Range"] = f"bytes=-{last}"
        elif start is not None or end is not None:
            headers["Range"] = f"bytes={start or 0}-{'' if end is None else end}"
        try:
            path = f"{self._path(repository, pipeline)}/steps/{segment(step)}/log"
            return self._client.request("GET", path, headers=headers).content
        except BitbucketError as error:
            if error.status == 416:
                return b""
            raise

    def test_report(self, repository: str, pipeline: str | int, step: str) -> dict[str, Any] | None:
        """Return the counts of a step's test report, None when it has none."""
        try:
            return self._client.get(f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports")
        except BitbucketNotFoundError:
            return None

    def test_cases(self, repository: str, pipeline: str | int, step: str) -> Iterator[dict[str, Any]]:
        """Yield the test cases of a step that has a report."""
        return self._client.paginate(f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports/test_cases")

    def test_case_reasons(self, repository: str, pipeline: str | int, step: str, case: str) -> dict[str, Any]:
        """Return why a test case failed."""
        path = f"{self._path(repository, pipeline)}/steps/{segment(step)}/test_reports/test_cases/{segment(case)}"
        return self._client.get(f"{path}/test_case_reasons")

    def stop(self, repository: str, pipeline: str | int) -> bool:
        """Ask Bitbucket to stop a pipeline; it takes a moment. False when it was over already.

        A pipeline paused at a manual step takes the request and stays paused.
        """
        try:
            # Stopping twice does no harm, so a lost answer is no reason not to ask again.
            self._client.request("POST", f"{self._path(repository, pipeline)}/stopPipeline", idempotent=True)
        except BitbucketError as error:
            if error.status == 400 and "already complete" in error.message:
                return False
            raise
        return True

    def failure_details(self, repository: str, outcome: PipelineOutcome, *, log_lines: int = 30) -> str:
        """Tell why a pipeline failed: the failed steps, the end of their logs, failed test cases.

        Costs one request for the steps and up to three for each failed step (three steps at most). What can not be read is
        said, not raised: the pipeline's failure is the news.

        :param log_lines: how many lines of each log
        """
        try:
            steps = self.steps(repository, outcome.uuid)
        except BitbucketError as error:
            return f"Its steps could not be read: {error}"
        failed = [step for step in steps if step_result(step) in ("FAILED", "ERROR")]
        return "\n".join(self._step_details(repository, outcome, step, log_lines) for step in failed[:3])

    def _step_details(self, repository: str, outcome: PipelineOutcome, step: Mapping[str, Any], log_lines: int) -> str:
        lines = [f"Step {step.get('name') or step['uuid']!r}: {step_result(step)}"]
        if problem := ((step.get("state") or {}).get("result") or {}).get("error"):
            lines.append(f"  {problem.get('message') or problem.get('key')}")
        try:
            report = self.test_report(repository, outcome.uuid, step["uuid"])
            bad = (report or {}).get("number_of_failed_test_cases", 0) + (report or {}).get("number_of_error_test_cases", 0)
            if bad:
                cases = [
                    case.get("fully_qualified_name") or case.get("name")
                    for case in self.test_cases(repository, outcome.uuid, step["uuid"])
                    if case.get("status") in ("FAILED", "ERROR")
                ]
                lines += [f"  failed test: {name}" for name in cases[:10]]
                lines += [f"  ... and {len(cases) - 10} more"] if len(cases) > 10 else []
            text = self.log(repository, outcome.uuid, step["uuid"], last=_TAIL_BYTES).decode("utf-8", "replace")
            lines += [f"  | {line}" for line in text.splitlines()[-log_lines:]]
        except BitbucketError as error:
            lines.append(f"  its log could not be read: {error.message}")
        return "\n".join(lines)

    def _list_path(self, repository: str) -> str:
        return f"{self._client.repository_path(repository)}/pipelines/"  # without the slash some have seen 404

    def _path(self, repository: str, pipeline: str | int) -> str:
        return f"{self._list_path(repository)}{segment(pipeline)}"

    def _pull_request_target(self, repository: str, number: int) -> dict[str, Any]:
        """Return what Bitbucket wants to know of a pull request, with the full hashes that pull requests do not show."""
        pull_request = self._client.pull_requests.get(repository, number)
        if pull_request["state"] != "OPEN":
            raise ValueError(f"Pull request {number} of {repository!r} is {pull_request['state']}; only an open one can run")
        source, destination = pull_request["source"], pull_request["destination"]
        return {
            "source": source["branch"]["name"],
            "destination": destination["branch"]["name"],
            "destination_commit": {"hash": self._client.commits.get(repository, destination["commit"]["hash"])["hash"]},
            "commit": {
                "type": "commit",
                "hash": self._client.commits.get(repository, source["commit"]["hash"])["hash"],
            },
        }

    def _refusal(self, error: BitbucketError, repository: str, target: Mapping[str, Any]) -> str | None:
        """Say in the words of what was asked why no pipeline was started; None when Bitbucket's own words are best."""
        name = self._client.full_name(repository)
        where = describe_target(target)
        if error.key == "result-service.pipeline.selector-not-found":
            pattern = (target.get("selector") or {}).get("pattern")
            return (
                f"Bitbucket has no custom pipeline {pattern!r} in bitbucket-pipelines.yml at {where} of {name}: {error.message}"
            )
        if error.status == 404 and "last reference" in error.message:
            return f"There is no {where} in {name}: {error.message}"
        if (error.status == 400 and "not enabled" in error.message.lower()) or "disabled" in error.message.lower():
            where = "Repository settings > Pipelines > Settings"
            return f"Pipelines are switched off in {name}; switch them on under {where}: {error.message}"
        if error.status in (400, 404):
            return f"Bitbucket started no pipeline at {where} of {name}: {error.message}"
        return None
