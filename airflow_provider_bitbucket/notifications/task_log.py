"""Read the end of a task's log where the callback runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_bitbucket.hooks.runs import Run

#: Bytes of the end of a log that are read.
_READ_BYTES = 65_536


def end_of_log(run: Run, lines: int) -> str:
    """Return the last lines of the attempt's log; empty if the log is not on this machine.

    Airflow masks secrets when it writes the file. In the task's process and with a LocalExecutor the file is there; in a DAG
    processor of its own it is not.

    :param lines: most lines
    """
    path = _path(run)
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _READ_BYTES, 0))
            rows = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    text = "\n".join(shown for row in rows if (shown := _shown(row)))
    return "\n".join(text.splitlines()[-lines:])


def _path(run: Run) -> Path:
    from jinja2.sandbox import SandboxedEnvironment

    base = Path(conf.get("logging", "base_log_folder")).resolve()
    template = SandboxedEnvironment().from_string(conf.get("logging", "log_filename_template"))
    named = {"dag_id": run.dag_id, "run_id": run.run_id, "task_id": run.task_id, "map_index": run.map_index}
    path = (base / template.render(ti=named, try_number=run.attempt)).resolve()
    return path if path.is_relative_to(base) else base  # an id cannot lead elsewhere


def _shown(row: str) -> str:
    """Return the text of a line: Airflow writes a JSON object for each event, with its exceptions apart."""
    try:
        event = json.loads(row)
    except ValueError:
        return row  # plain text, or the first line, which is cut
    if not isinstance(event, dict):
        return row
    exceptions = event.get("error_detail")
    return "\n".join([str(event.get("event") or ""), *map(_exception, exceptions if isinstance(exceptions, list) else [])])


def _exception(detail: Any) -> str:
    return f"{detail.get('exc_type')}: {detail.get('exc_value')}" if isinstance(detail, dict) else str(detail)
