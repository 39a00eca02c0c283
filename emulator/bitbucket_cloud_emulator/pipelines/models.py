"""Pipelines, steps and scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class Variable:
    """A variable of a repository, workspace or deployment environment."""

    uuid: str
    key: str
    value: str
    secured: bool = False


@dataclass(eq=False)
class Schedule:
    """A schedule; pipelines of it start when the control interface runs it."""

    uuid: str
    target: dict[str, Any]  # wire form
    cron_pattern: str
    enabled: bool
    created_on: datetime
    updated_on: datetime
    executions: list[dict[str, Any]] = field(default_factory=list)  # wire form, newest first


@dataclass(eq=False)
class Step:
    """A planned step; its state follows from the pipeline's plan and the clock."""

    uuid: str
    name: str | None
    seconds: float
    result: str = "SUCCESSFUL"  # SUCCESSFUL | FAILED | ERROR | STOPPED | NOT_RUN | EXPIRED
    manual: bool = False
    environment: str | None = None  # slug of the environment it deploys to
    image: str = "atlassian/default-image:5"
    script: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    log: str = ""
    test_cases: list[dict[str, Any]] = field(default_factory=list)  # [{name, status, seconds, reason}]
    started_on: datetime | None = None  # fixed once known (manual steps: when a person continues)
    completed_on: datetime | None = None


@dataclass(eq=False)
class Pipeline:
    uuid: str
    build_number: int
    creator: User | None
    target: dict[str, Any]  # wire form with ref/commit/selector, full 40-character hashes
    trigger: str  # PUSH | MANUAL | SCHEDULE | PARENT_STEP
    created_on: datetime
    steps: list[Step]
    parsing_seconds: float = 2.0
    pending_seconds: float = 8.0
    result: str | None = None  # forced result (ERROR, EXPIRED ...); None: follows from the steps
    error: dict[str, str] | None = None
    halted: bool = False  # shows HALTED instead of RUNNING until released
    state_override: dict[str, Any] | None = None  # an unknown state, verbatim
    stopped_on: datetime | None = None
    stopped_by: User | None = None
    run_number: int = 1
    labels: dict[str, Any] = field(default_factory=dict)
    variables: list[dict[str, Any]] = field(default_factory=list)  # only the control interface returns them


@dataclass(eq=False)
class PipelineScript:
    """The behaviour of pipelines of a selector. The first script of the repository that matches the request is used.

    ``selector`` is the custom pattern, ``"default"``, ``"branches"``, ``"pull-requests"`` or ``"*"`` for every run;
    ``steps`` are dicts of :class:`Step` fields without uuid; without them those of ``bitbucket-pipelines.yml`` are
    played. ``outcomes`` optionally gives, run after run, what differs (a flake: first fails, then passes), the last one
    staying: any of ``result``, ``error``, ``halted``, ``parsing_seconds``, ``pending_seconds``, and ``steps``: other
    steps, or name -> changes, such as ``{"steps": {"Test": {"result": "FAILED", "log": "..."}}}``.
    """

    selector: str
    steps: list[dict[str, Any]]
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    parsing_seconds: float = 2.0
    pending_seconds: float = 8.0
    result: str | None = None
    error: dict[str, str] | None = None
    halted: bool = False
    runs: int = 0
