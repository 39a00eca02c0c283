"""A real Airflow inside the test process, with a temporary AIRFLOW_HOME and SQLite database.

This is a pytest plugin, because the environment has to be set before anything imports Airflow.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
(HOME / "dags").mkdir()
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(HOME / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__FERNET_KEY="",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(HOME / "logs"),
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class TaskRun:
    """The result of running one task.

    :param state: ``success``, ``failed``, ``skipped``, ...
    :param error: the exception with which it failed
    :param log: everything that was logged while the DAG ran, the trigger's part included
    :param xcom: its XComs by key; ``return_value`` is the value that it returned
    """

    state: str
    error: BaseException | None
    log: str
    xcom: dict[str, Any]

    @property
    def value(self) -> Any:
        """The value that the task returned."""
        return self.xcom.get("return_value")


def pytest_unconfigure() -> None:
    """Remove AIRFLOW_HOME."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """AIRFLOW_HOME with a migrated database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    return HOME


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define an Airflow connection in the environment: ``connect(connection_json(bitbucket_emulator))``."""

    def connect(connection: str, conn_id: str = "bitbucket_default") -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)

    return connect


@pytest.fixture
def sync_dag(airflow_home: Path) -> Callable[[DAG], None]:
    """Write a DAG made in a test to Airflow's database, so that its own ``test()`` works."""
    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag, sync_bag_to_db

    def sync(dag: DAG) -> None:
        bag = DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)

    return sync


@pytest.fixture
def run_dag(sync_dag: Callable[[DAG], None]) -> Callable[[DAG], DagRun]:
    """Run a DAG that a test has defined as ``airflow dags test`` does, including triggers, and return its run."""

    def run(dag: DAG) -> DagRun:
        sync_dag(dag)
        return dag.test()

    return run


@pytest.fixture
def run_task(run_dag: Callable[[DAG], DagRun], capsys: pytest.CaptureFixture[str]) -> Callable[..., TaskRun]:
    """Run one task in a separate DAG: ``run_task(BitbucketPipelineSensor, repository="api", ...)``."""
    from airflow.models.xcom import XComModel
    from airflow.sdk import DAG
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def run(operator: Callable[..., Any], **parameters: Any) -> TaskRun:
        errors: list[BaseException] = []
        with DAG(f"dag_{next(_numbers)}", schedule=None) as dag:
            operator(task_id="task", on_failure_callback=lambda context: errors.append(context["exception"]), **parameters)
        capsys.readouterr()
        dag_run = run_dag(dag)
        with create_session() as session:
            rows = session.scalars(select(XComModel).where(XComModel.dag_id == dag.dag_id))
            xcom = {row.key: XComModel.deserialize_value(row) for row in rows}
        instance = dag_run.get_task_instance("task")
        return TaskRun(str(instance.state), errors[-1] if errors else None, capsys.readouterr().out, xcom)

    return run
