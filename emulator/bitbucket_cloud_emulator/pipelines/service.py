"""Start pipelines: plan a run from the repository's definition and scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.commits.models import BuildStatus
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.deployments.models import Deployment
from bitbucket_cloud_emulator.deployments.service import ensure_environment
from bitbucket_cloud_emulator.pipelines.definition import FILE_NAME, NOTHING, DefinitionError, Definitions, parse
from bitbucket_cloud_emulator.pipelines.models import Pipeline, PipelineScript, Step
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import User

PARSE_ERROR_KEY = "plan-service.parse.parse-error"


def definition_at(repository: Repository, commit: str) -> bytes | None:
    """Return the ``bitbucket-pipelines.yml`` of a commit, None when it has none.

    :param repository: whose
    :param commit: full hash
    """
    return repository.commits[commit].files.get(FILE_NAME)


def find_script(repository: Repository, selector: dict[str, Any]) -> PipelineScript | None:
    """Return the first script of the repository for a selector, None when there is none.

    :param repository: whose
    :param selector: ``{"type": ..., "pattern": ...}`` as in the API; a script names its type, its pattern, or ``*``
    """
    names = {selector["type"], selector.get("pattern"), "*"}
    return next((script for script in repository.scripts if script.selector in names), None)


def start_pipeline(
    state: State,
    repository: Repository,
    target: dict[str, Any],
    *,
    trigger: str,
    creator: User | None,
    definition: bytes | None = None,
    at: datetime | None = None,
) -> Pipeline:
    """Start a pipeline and leave its build status on the commit.

    :param state: everything
    :param repository: where
    :param target: as in the API, with the full commit hash and the selector resolved
    :param trigger: PUSH, MANUAL, SCHEDULE or PARENT_STEP
    :param creator: the user who started it
    :param definition: the ``bitbucket-pipelines.yml`` to use; the one at the commit when not given
    :param at: when; now when not given
    :return: the pipeline, which is being parsed now
    """
    created_on = at or state.clock.now()
    plan = _plan(repository, target, definition or definition_at(repository, target["commit"]["hash"]))
    pipeline = Pipeline(
        uuid=state.uuid(),
        build_number=state.number(f"pipelines of {repository.uuid}"),
        creator=creator,
        target=target,
        trigger=trigger,
        created_on=created_on,
        steps=[Step(uuid=state.uuid(), **fields) for fields in plan.pop("steps")],
        **plan,
    )
    repository.pipelines.append(pipeline)
    _plan_deployments(state, repository, pipeline)
    _leave_status(state, repository, pipeline)
    return pipeline


def pushed(
    state: State, repository: Repository, name: str, *, creator: User | None, tag: bool = False, at: datetime | None = None
) -> Pipeline | None:
    """Start the pipeline that a push to a branch (or of a tag) starts, if Pipelines is on and one is defined for it.

    :param state: everything
    :param repository: where
    :param name: of the branch or tag
    :param creator: the user who pushed
    :param tag: whether it is a tag
    :param at: when; now when not given
    """
    commit = repository.tags[name].hash if tag else repository.branches[name]
    target = {"type": "pipeline_ref_target", "ref_type": "tag" if tag else "branch", "ref_name": name}
    return _react(state, repository, target, commit, ("tags" if tag else "branches", name), creator, at)


def pull_request_pushed(
    state: State, repository: Repository, pull_request: PullRequest, *, creator: User | None, at: datetime | None = None
) -> Pipeline | None:
    """Start the pipeline of an open pull request that was created or has new commits, if one is defined for it.

    :param state: everything
    :param repository: where
    :param pull_request: which
    :param creator: the user who pushed
    :param at: when; now when not given
    """
    target = pull_request_target(pull_request)
    name = pull_request.source_branch
    return _react(state, repository, target, pull_request.source_hash, ("pull-requests", name), creator, at)


def pull_request_target(pull_request: PullRequest) -> dict[str, Any]:
    """Return the target of a pull request's pipelines, without commit and selector."""
    return {
        "type": "pipeline_pullrequest_target",
        "source": pull_request.source_branch,
        "destination": pull_request.destination_branch,
        "destination_commit": {"type": "commit", "hash": pull_request.destination_hash},
        "pullrequest": {"type": "pullrequest", "id": pull_request.id, "title": pull_request.title},
    }


def _react(
    state: State,
    repository: Repository,
    target: dict[str, Any],
    commit: str,
    ref: tuple[str, str],
    creator: User | None,
    at: datetime | None,
) -> Pipeline | None:
    definition = definition_at(repository, commit)
    if not repository.pipelines_enabled or definition is None:
        return None
    try:
        selector = parse(definition).select(*ref)
    except DefinitionError:
        selector = {"type": "default"}  # the pipeline reports the problem in the file
    if selector is None:
        return None
    target = {**target, "commit": {"type": "commit", "hash": commit}, "selector": selector}
    return start_pipeline(state, repository, target, trigger="PUSH", creator=creator, at=at)


def _plan(repository: Repository, target: dict[str, Any], definition: bytes | None) -> dict[str, Any]:
    """Return the fields of :class:`Pipeline` that describe the run; ``steps`` are fields of :class:`Step`."""
    try:
        definitions = parse(definition) if definition else NOTHING
    except DefinitionError as error:
        problem = {"key": PARSE_ERROR_KEY, "message": str(error)}
        return {"steps": [], "parsing_seconds": 0.0, "result": "ERROR", "error": problem}
    script = find_script(repository, target["selector"])
    if script is None:
        return {"steps": definitions.find(target["selector"]) or []}
    return _play(script, definitions, target["selector"])


def _play(script: PipelineScript, definitions: Definitions, selector: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of the script's next run: the script with the changes of that run's outcome."""
    outcome = script.outcomes[min(script.runs, len(script.outcomes) - 1)] if script.outcomes else {}
    script.runs += 1
    steps: list[dict[str, Any]] = script.steps or definitions.find(selector) or []
    changes = outcome.get("steps", {})
    by_name = changes if isinstance(changes, dict) else {}
    steps = steps if changes is by_name else changes
    steps = [{**step, **by_name.get(step.get("name"), {})} for step in steps]
    names = ("parsing_seconds", "pending_seconds", "result", "error", "halted")
    plan = {name: outcome.get(name, getattr(script, name)) for name in names}
    return {**plan, "steps": [] if plan["error"] else steps}


def _plan_deployments(state: State, repository: Repository, pipeline: Pipeline) -> None:
    release = state.uuid()
    for step in pipeline.steps:
        if step.environment:
            environment = ensure_environment(state, repository, step.environment)
            deployment = Deployment(state.uuid(), environment, pipeline, step, release)
            repository.deployments.append(deployment)


def _leave_status(state: State, repository: Repository, pipeline: Pipeline) -> None:
    commit, number = pipeline.target["commit"]["hash"], pipeline.build_number
    ref = pipeline.target.get("ref_name") or pipeline.target.get("source")
    status = BuildStatus(
        key=str(3343800 + state.number("build statuses of pipelines")),
        state="INPROGRESS",
        url=f"https://bitbucket.org/{repository.full_name}/addon/pipelines/home#!/results/{number}",
        hash=commit,
        created_on=pipeline.created_on,
        updated_on=pipeline.created_on,
        name=f"Pipeline #{number} for {ref or commit[:12]}",
        refname=ref,
        pipeline=pipeline,
    )
    repository.statuses[commit, status.key] = status
