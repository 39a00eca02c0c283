"""OAuth logins work in older versions of Airflow, whose triggerer reaches Airflow's API in a different way."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import wait_until
from tests.end_to_end.auth_types import COMMAND, PEOPLE, conn_id, leaks, site


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_expired_login_is_renewed_in_a_task_and_in_the_triggerer(tmp_path: Path) -> None:
    with BitbucketEmulator("demo", speed=30) as bitbucket, site(bitbucket, tmp_path / "airflow") as running:
        bitbucket.script("api", "until-finished", steps=[{"name": "Deploy", "seconds": 36000}])
        running.log_in(COMMAND, conn_id("oauth"), "priya")
        bitbucket.expire_access_tokens()
        running.start("deferred", "tried_twice", "oauth", custom_pipeline="until-finished")
        wait_until(lambda: running.state("deferred", "oauth") == "deferred", seconds=120, what="the task waits in the triggerer")
        assert running.refreshes(PEOPLE["priya"]) == 1, "renewed by the task"
        bitbucket.expire_access_tokens()
        wait_until(lambda: running.refreshes(PEOPLE["priya"]) == 2, seconds=90, what="the triggerer renews the login")
        running.finish("deferred", "oauth", "SUCCESSFUL")
        assert running.outcome("deferred", "oauth") == "success"
        assert not leaks(running.secrets(), running.written())
