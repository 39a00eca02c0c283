"""How far repositories were read before: kept in the state of the asset that a task writes, where Airflow has that (3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class Watermarks:
    """The moments up to which repositories were read.

    :param context: the task's
    :param asset: the asset that the task writes, which keeps them
    :param name: what tells them from others that the asset keeps: the dataset, and where it is written if that matters
    """

    def __init__(self, context: Context, asset: Any, name: str) -> None:
        state = cast("Mapping[str, Any]", context)  # newer Airflows have more keys than its type
        assets = state.get("asset_state_store")
        self._asset: Any = None if assets is None else assets[asset]
        self._task: Any = state.get("task_state_store")
        self._name = name

    @property
    def kept(self) -> bool:
        """Whether this Airflow keeps them."""
        return self._asset is not None and self._task is not None

    def before(self, repositories: Iterable[str]) -> dict[str, datetime]:
        """Return up to when repositories were read before this task first began; the others never were.

        A task that is tried again or cleared begins where it began the first time: it replaces its output, and must not lose
        what was in it.
        """
        begins, keys = self._task.get(self._began) or {}, self._keys()
        for name in repositories:
            if name not in begins:
                begins[name] = self._asset.get(keys(name)) or ""
        self._task.set(self._began, begins)
        return {name: datetime.fromisoformat(moment) for name, moment in begins.items() if moment}

    def move(self, repository: str, moment: datetime) -> None:
        """Write down that a repository was read up to a moment; never back."""
        key = self._keys()(repository)
        before = self._asset.get(key)
        if not before or datetime.fromisoformat(before) < moment:
            self._asset.set(key, moment.isoformat())

    def start_anew(self) -> None:
        """Forget what was read before, also by other tasks, because what was made of it is gone."""
        self._asset.set(self._anew, datetime.now(UTC).isoformat())
        self._task.set(self._began, {})

    @property
    def output(self) -> str | None:
        """Where this task of this run writes, also on further tries and after it was cleared; None: it has not come so far."""
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
    def _anew(self) -> str:
        return f"{self._name} anew since"

    def _keys(self) -> Callable[[str], str]:
        """Return what makes the key of a repository.

        Each has its own, so that tasks which read others do not overwrite it; others after each new start, also after that of
        a task which began at the same moment: asked for anew each time.
        """
        anew = self._asset.get(self._anew)
        suffix = f" since {anew}" if anew else ""
        return lambda repository: f"{self._name} of {repository}{suffix}"
