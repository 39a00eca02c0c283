"""``airflow bitbucket bundle check``: why a DAG bundle on Bitbucket does not load."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.configuration import conf

from airflow_provider_bitbucket.bundles.bitbucket import BitbucketDagBundle
from airflow_provider_bitbucket.cli.commands import command
from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

_CLASS = f"{BitbucketDagBundle.__module__}.{BitbucketDagBundle.__name__}"
_STORAGE = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"
#: The first git that takes its configuration from the environment, by which the token is passed.
_OLDEST_GIT = (2, 31)


@command
def check(arguments: Namespace) -> None:
    """Load each Bitbucket bundle of Airflow's configuration into a temporary directory, and report each step.

    :raises SystemExit: a bundle does not load; the message is the last step that was tried
    """
    entries: Any = conf.getjson("dag_processor", "dag_bundle_config_list") or ()
    configured: dict[str, dict[str, Any]] = {one["name"]: one for one in entries}
    names = [name for name, one in configured.items() if one.get("classpath") == _CLASS]
    if arguments.name:
        if arguments.name not in names:
            raise ValueError(f"No Bitbucket bundle {arguments.name!r} is configured; there are: {', '.join(names) or 'none'}")
        names = [arguments.name]
    if not names:
        raise ValueError(f"No bundle of class {_CLASS} is configured in [dag_processor] dag_bundle_config_list of this Airflow.")
    print(f"git {_git_version()}")
    for name in names:
        _check_bundle(name, configured[name].get("kwargs") or {})


def _check_bundle(name: str, parameters: dict[str, Any]) -> None:
    with _temporary_storage():
        bundle = BitbucketDagBundle(name=name, **parameters)
        print(f"{name}: {bundle.repo_url} at {bundle.tracking_ref}")
        hook = BitbucketHook(parameters.get("bitbucket_conn_id", BitbucketHook.default_conn_name))
        full_name = str(bundle.repo_url).removesuffix(".git").split("/", 3)[3]
        try:
            hook.get_conn().repositories.get(full_name)
        except BitbucketNotFoundError as error:
            raise ValueError(f"{name}: {full_name} is not visible to connection {hook.bitbucket_conn_id!r}. {error}") from None
        print(f"{name}: connection {hook.bitbucket_conn_id!r} may read {full_name}")
        try:
            bundle.initialize()
        except Exception as error:  # git's own message is in the cause
            raise ValueError(f"{name}: git could not read it. {_reason(error)}") from error
        version = bundle.get_current_version()
        print(f"{name}: commit {getattr(version, 'version', version)}")
        if not bundle.path.is_dir():
            raise ValueError(f"{name}: there is no directory {bundle.subdir!r} in {full_name} at {bundle.tracking_ref}")
        files = sum(1 for _ in bundle.path.rglob("*.py"))
        print(f"{name}: {files} Python files below {bundle.subdir or 'the top of the repository'}; it loads")


def _git_version() -> str:
    """Return the version of the installed git.

    :raises ValueError: there is none, or it is too old
    """
    if (git := shutil.which("git")) is None:
        raise ValueError("git is not installed here; the DAG processor, the workers and the triggerers need it")
    text = subprocess.run([git, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]  # noqa: S603 - fixed words
    if tuple(int(part) for part in text.split(".")[:2]) < _OLDEST_GIT:
        raise ValueError(f"git is {text}; expected {'.'.join(map(str, _OLDEST_GIT))} or newer")
    return text


def _reason(error: BaseException) -> str:
    """Return git's message, where it is the cause of an error."""
    while not hasattr(error, "stderr") and error.__cause__:
        error = error.__cause__
    return str(getattr(error, "stderr", "") or error).strip()


@contextmanager
def _temporary_storage() -> Iterator[None]:
    """Keep bundles in a temporary directory, so that what the DAG processor uses is not touched."""
    before = os.environ.get(_STORAGE)
    with tempfile.TemporaryDirectory() as directory:
        os.environ[_STORAGE] = directory
        try:
            yield
        finally:
            os.environ.pop(_STORAGE) if before is None else os.environ.update({_STORAGE: before})
