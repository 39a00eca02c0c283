"""The provider can be imported, is registered, shows its form and runs DAGs on every supported version of Airflow."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_bitbucket
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

#: Modules of the extra ``dag-bundle``, which is not installed here.
OF_AN_EXTRA = ("airflow_provider_bitbucket.bundles.bitbucket", "airflow_provider_bitbucket.cli.bundles")


def test_every_module_can_be_imported() -> None:
    for module in pkgutil.walk_packages(airflow_provider_bitbucket.__path__, "airflow_provider_bitbucket."):
        if not module.name.endswith("__main__") and module.name not in OF_AN_EXTRA:
            importlib.import_module(module.name)


def test_the_provider_and_its_connection_type_are_registered() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert "airflow-provider-bitbucket" in manager.providers
    hook = manager.hooks["bitbucket"]
    assert hook is not None
    assert hook.hook_name == "Bitbucket Cloud"
    assert "airflow_provider_bitbucket.links.BitbucketPipelineLink" in manager.extra_links_class_names


FORM = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
meta = next(one for one in HookMetaService.hook_meta_data() if one.connection_type == "bitbucket")
print("FORM", json.dumps(meta.model_dump(mode="json")))
"""


def test_the_connection_form_has_labelled_fields() -> None:
    """The form is requested as by the UI: Airflow 3.1 reads it from methods of the hook, newer versions from the provider info.

    A separate process is needed because 3.1 replaces its form library by mocks, which works only once and before other imports.
    """
    done = subprocess.run([sys.executable, "-c", FORM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    meta = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FORM")).removeprefix("FORM"))
    assert meta["hook_name"] == "Bitbucket Cloud"
    fields = meta["extra_fields"]
    specific = {"workspace", "auth_type", "default_user", "user", "scopes", "callback_url"}
    assert set(fields) == specific | {"verify", "proxies", "timeout", "rate_limit"}
    enum = ["api_token", "api_token_per_user", "access_token", "oauth_client_credentials", "oauth"]
    assert fields["auth_type"]["schema"]["enum"] == enum
    assert meta["standard_fields"]["host"]["title"] == "API base URL"


@pytest.mark.airflow
def test_a_dag_starts_a_pipeline_and_waits_for_it(
    run_task: Callable[..., Any], connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator
) -> None:
    from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator

    bitbucket_emulator.clock(speed=600)
    connect(connection_json(bitbucket_emulator))
    done = run_task(BitbucketTriggerPipelineOperator, repository="api", branch="main", poll_interval=0.2, timeout=60)
    assert done.state == "success"
    assert done.value["status"] == "SUCCESSFUL"


@pytest.mark.airflow
def test_a_data_frame_of_pull_requests_is_passed_to_the_next_task(
    run_dag: Callable[[Any], Any], connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator, tmp_path: Path
) -> None:
    from airflow.sdk import DAG, task

    from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator

    connect(connection_json(bitbucket_emulator))
    received = tmp_path / "columns.txt"
    with DAG("frames", schedule=None) as dag:
        extract = BitbucketExtractOperator(task_id="extract", dataset="pull_requests")

        @task
        def columns(frame: Any) -> None:
            received.write_text(" ".join(frame.columns))

        columns(extract.output)
    assert run_dag(dag).state == "success"
    assert "closed_on" in received.read_text().split()
