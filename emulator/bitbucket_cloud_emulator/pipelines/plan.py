"""The state of a pipeline, its steps and its deployments at a point in time.

A pipeline is a plan: when it was created, how long its phases and steps take, and what people did to it (a manual step
continued, a stop). Everything it shows follows from that plan and the time, so nothing runs in the background, a clock
that jumps shows the right state at once, and two reads at the same time give the same state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bitbucket_cloud_emulator.commits.models import BuildStatus
from bitbucket_cloud_emulator.pipelines.models import Pipeline, Step
from bitbucket_cloud_emulator.repositories.models import Repository

STOP_SECONDS = 2.0


"""A stop is asynchronous: it takes effect this much later."""


SUCCESSFUL, FAILED, ERROR, STOPPED, NOT_RUN, EXPIRED = "SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "NOT_RUN", "EXPIRED"


@dataclass(frozen=True)
class StepView:
    """A step at a point in time. ``stage`` is PENDING, PAUSED or HALTED while ``state`` is PENDING, else None."""

    step: Step
    state: str  # PENDING | IN_PROGRESS | COMPLETED
    stage: str | None = None
    result: str | None = None
    started_on: datetime | None = None
    completed_on: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long a finished step ran; 0 for one that is not finished or never ran."""
        if self.started_on is None or self.completed_on is None:
            return 0.0
        return (self.completed_on - self.started_on).total_seconds()


@dataclass(frozen=True)
class PipelineView:
    """A pipeline at a point in time. ``stage`` while it is not completed, ``result`` when it is."""

    pipeline: Pipeline
    state: str  # PARSING | PENDING | IN_PROGRESS | COMPLETED
    stage: str | None
    result: str | None
    completed_on: datetime | None
    steps: tuple[StepView, ...]  # none before it is parsed

    @property
    def seconds(self) -> float:
        """Seconds its finished steps ran: neither queueing nor the wait for a person counts."""
        return sum(view.seconds for view in self.steps)


@dataclass(frozen=True)
class _Planned:
    """A step on the timeline: its turn comes at ``turn``; ``end`` is when ``result`` shows, None for never."""

    step: Step
    turn: datetime
    start: datetime | None
    end: datetime | None
    result: str | None
    blocked: str | None = None  # PAUSED | HALTED: waits for a person from its turn on


def pipeline_at(pipeline: Pipeline, now: datetime) -> PipelineView:
    """Return the state of a pipeline at a point in time.

    :param pipeline: the plan
    :param now: the time, aware
    """
    timeline = planned_steps(pipeline)
    end = _end(pipeline, timeline)
    parsed = now >= pipeline.created_on + timedelta(seconds=pipeline.parsing_seconds)
    completed = end is not None and now >= end
    steps = tuple(step_at(planned, now) for planned in timeline) if parsed or completed else ()
    if completed:
        return PipelineView(pipeline, "COMPLETED", None, _result(pipeline, timeline, end), end, steps)
    if not parsed:
        return PipelineView(pipeline, "PARSING", "PARSING", None, None, steps)
    if now < _running_on(pipeline):
        return PipelineView(pipeline, "PENDING", "PENDING", None, None, steps)
    waiting = next((view.stage for view in steps if view.stage in ("PAUSED", "HALTED")), None)
    return PipelineView(pipeline, "IN_PROGRESS", waiting or "RUNNING", None, None, steps)


def settle_statuses(repository: Repository, now: datetime) -> None:
    """Let the build statuses that pipelines left on commits follow their pipelines; call it before reading them.

    :param repository: whose
    :param now: the time, aware
    """
    for status in repository.statuses.values():
        if status.pipeline is not None and status.state == "INPROGRESS":
            _settle(status, pipeline_at(status.pipeline, now))


def freeze(pipeline: Pipeline, now: datetime) -> PipelineView:
    """Fix in the plan what has happened up to now, so that a change of the rest does not rewrite it.

    :param pipeline: changed
    :param now: the time, aware
    :return: what it shows now
    """
    view = pipeline_at(pipeline, now)
    for step in view.steps:
        if step.state != "PENDING":
            step.step.started_on, step.step.completed_on = step.started_on, step.completed_on
    return view


def stop(pipeline: Pipeline, now: datetime) -> None:
    """Stop a pipeline :data:`STOP_SECONDS` from now, unless it ends earlier by itself.

    :param pipeline: changed
    :param now: the time, aware
    """
    pipeline.stopped_on = pipeline.stopped_on or now + timedelta(seconds=STOP_SECONDS)


def release(pipeline: Pipeline, now: datetime) -> bool:
    """Resume a pipeline that waits for a person: continue a manual step, lift a halt.

    :param pipeline: changed
    :param now: the time, aware
    :return: whether it was waiting
    """
    view = freeze(pipeline, now)
    pipeline.halted = False
    for step in view.steps:
        if step.stage in ("PAUSED", "HALTED"):
            step.step.started_on = now
            return True
    return False


def block(pipeline: Pipeline, now: datetime, *, manual: bool) -> None:
    """Make the current step wait for a person; a running one returns to its start.

    :param pipeline: changed
    :param now: the time, aware
    :param manual: it becomes a manual step (PAUSED), else the pipeline is HALTED
    """
    freeze(pipeline, now)
    for step in (step for step in pipeline.steps if step.completed_on is None):
        step.started_on = None
        step.manual = step.manual or manual
        pipeline.halted = pipeline.halted or not manual
        return


def finish(pipeline: Pipeline, now: datetime, result: str) -> None:
    """End a pipeline now, whatever it was doing.

    :param pipeline: changed
    :param now: the time, aware
    :param result: SUCCESSFUL (what was left is done in no time), FAILED (the step whose turn it is fails), ERROR,
        STOPPED or EXPIRED
    """
    view = freeze(pipeline, now)
    if now < _running_on(pipeline):
        waited = (now - pipeline.created_on).total_seconds()
        pipeline.parsing_seconds = min(pipeline.parsing_seconds, waited)
        pipeline.pending_seconds = waited - pipeline.parsing_seconds
        view = pipeline_at(pipeline, now)
    pipeline.halted, pipeline.state_override, pipeline.result = False, None, result
    pipeline.stopped_on = None if result in (SUCCESSFUL, FAILED) else now
    if pipeline.stopped_on:
        return
    for step in (view.step for view in view.steps if view.state != "COMPLETED"):
        step.started_on, step.completed_on, step.result = step.started_on or now, now, result
        if result == FAILED:
            return


def planned_steps(pipeline: Pipeline) -> list[_Planned]:
    timeline: list[_Planned] = []
    turn, cut, over = _running_on(pipeline), pipeline.stopped_on, False
    for step in pipeline.steps:
        if over or (cut is not None and (step.started_on or turn) >= cut):
            # One that was to be stopped shows equal times; one behind a failure shows none.
            at = None if over else cut
            planned = _Planned(step, turn, at, at or turn, NOT_RUN if over else pipeline.result or STOPPED)
            timeline.append(planned)
            continue
        start = step.started_on
        if start is None and (pipeline.halted or step.manual):
            timeline.append(_blocked(pipeline, step, turn))
            if timeline[-1].end is None:
                timeline += [_Planned(rest, turn, None, None, None) for rest in pipeline.steps[len(timeline) :]]
                return timeline
            turn, over = timeline[-1].end, True
            continue
        start = start or turn
        end = step.completed_on or start + timedelta(seconds=step.seconds)
        result = step.result
        if cut is not None and end > cut:
            end, result = cut, pipeline.result or STOPPED
        timeline.append(_Planned(step, turn, start, end, result))
        turn, over = end, result in (FAILED, ERROR)
    return timeline


def _blocked(pipeline: Pipeline, step: Step, turn: datetime) -> _Planned:
    stage = "HALTED" if pipeline.halted else "PAUSED"
    if pipeline.stopped_on is not None:
        return _Planned(step, turn, pipeline.stopped_on, pipeline.stopped_on, pipeline.result or STOPPED, stage)
    if pipeline.result == EXPIRED:  # it waits as long as it would have run, then expires
        return _Planned(step, turn, None, turn + timedelta(seconds=step.seconds), EXPIRED, stage)
    return _Planned(step, turn, None, None, None, stage)


def step_at(planned: _Planned, now: datetime) -> StepView:
    if planned.end is not None and now >= planned.end:
        completed_on = planned.end if planned.start is not None else None
        return StepView(planned.step, "COMPLETED", None, planned.result, planned.start, completed_on)
    if planned.start is not None and now >= planned.start:
        return StepView(planned.step, "IN_PROGRESS", None, None, planned.start)
    waiting = planned.blocked if planned.blocked and now >= planned.turn else "PENDING"
    return StepView(planned.step, "PENDING", waiting)


def _running_on(pipeline: Pipeline) -> datetime:
    return pipeline.created_on + timedelta(seconds=pipeline.parsing_seconds + pipeline.pending_seconds)


def _end(pipeline: Pipeline, timeline: list[_Planned]) -> datetime | None:
    if not timeline:
        # A malformed definition ends at once; live runs that failed at once were completed some
        # milliseconds before they were created.
        return pipeline.created_on + timedelta(seconds=pipeline.parsing_seconds or -0.016)
    ends = [planned.end for planned in timeline]
    return None if None in ends else max(end for end in ends if end is not None)


def _result(pipeline: Pipeline, timeline: list[_Planned], end: datetime | None) -> str:
    stopped = pipeline.stopped_on is not None and end == pipeline.stopped_on
    if pipeline.result is not None or stopped:
        return pipeline.result or STOPPED
    return next((planned.result for planned in timeline if planned.result not in (SUCCESSFUL, None)), SUCCESSFUL)


def _settle(status: BuildStatus, view: PipelineView) -> None:
    if view.completed_on is not None:
        status.updated_on = max(view.completed_on, status.created_on)
        status.state = {SUCCESSFUL: "SUCCESSFUL", STOPPED: "STOPPED", EXPIRED: "STOPPED"}.get(str(view.result), "FAILED")
