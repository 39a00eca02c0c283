"""Fixtures that every room's tests share."""

pytest_plugins = ["airflow_provider_bitbucket.emulator.pytest_plugin", "tests.airflow_home", "tests.postgres"]
