"""Watermarks of repositories, stored in the state of the asset that a task writes (Airflow 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class Watermarks:
    """The times up to which repositories were read.

    :param context: context of the task
    :param asset: the asset that the task writes, whose state stores them
    :param name: prefix of their keys in that state: the dataset, and its table if there can be several
    """

    def __init__(self, context: Context, asset: Any, name: str) -> None:
        state = cast("Mapping[str, Any]", context)  # newer Airflows have more keys than its type
        assets = state.get("asset_state_store")
        self._asset: Any = None if assets is None else assets[asset]
        self._task: Any = state.get("task_state_store")
        self._name = name

    @property
    def are_stored(self) -> bool:
        """Whether this Airflow can store them."""
        return self._asset is not None and self._task is not None

    def before(self, repositories: Iterable[str]) -> dict[str, datetime]:
        """Return the time up to which each repository was read before the first attempt of this task; omit unread ones.

        A task that is retried or cleared replaces its output, so it starts at the same times as its first attempt.
        """
        begins, keys = self._task.get(self._began) or {}, self._keys()
        for name in repositories:
            if name not in begins:
                begins[name] = self._asset.get(keys(name)) or ""
        self._task.set(self._began, begins)
        return {name: datetime.fromisoformat(begin) for name, begin in begins.items() if begin}

    def advance(self, repository: str, read_until: datetime) -> None:
        """Store the time up to which a repository was read, unless a later one is stored."""
        key = self._keys()(repository)
        before = self._asset.get(key)
        if not before or datetime.fromisoformat(before) < read_until:
            self._asset.set(key, read_until.isoformat())

    def reset(self) -> None:
        """Ignore the watermarks stored so far, also by other tasks, because the rows that were read are lost."""
        self._asset.set(self._last_reset, datetime.now(UTC).isoformat())
        self._task.set(self._began, {})

    @property
    def output(self) -> str | None:
        """Output path of this task in this run, kept through retries and clears; None before the first write."""
        path: str | None = self._task.get(self._output)
        return path

    @output.setter
    def output(self, path: str) -> None:
        self._task.set(self._output, path)

    @property
    def _output(self) -> str:
        return f"{self._name} output"

    @property
    def _began(self) -> str:
        return f"{self._name} began at"

    @property
    def _last_reset(self) -> str:
        return f"{self._name} anew since"

    def _keys(self) -> Callable[[str], str]:
        """Return a function from a repository to its key.

        Each repository has a key, so that tasks that read others do not overwrite it. A reset, which another task may make at
        any time, changes all keys.
        """
        reset_on = self._asset.get(self._last_reset)
        suffix = f" since {reset_on}" if reset_on else ""
        return lambda repository: f"{self._name} of {repository}{suffix}"
