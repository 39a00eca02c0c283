"""A PostgreSQL database for tests: the one that ``BITBUCKET_TEST_POSTGRES`` names, or a temporary one.

``BITBUCKET_TEST_POSTGRES`` is a URL such as ``postgresql://user:password@host:5432/database``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database in which tests may create tables. Skips the test if there is no server and none can be started."""
    if url := os.environ.get("BITBUCKET_TEST_POSTGRES"):
        yield url
        return
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: BITBUCKET_TEST_POSTGRES is not set, and initdb and pg_ctl are not installed")
    user = _unprivileged_user()
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(home, user)
    port = _free_port()

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(home / "data"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, user=user, cwd=home)
        if done.returncode:
            pytest.skip(f"no PostgreSQL: {program} failed: {done.stderr.strip()[-500:]}")

    try:
        run("initdb", "--username=test", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", "-l", str(home / "log"), "-o", f"-h 127.0.0.1 -p {port} -k '{home}' -F", "-w", "start")
        try:
            yield f"postgresql://test@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _programs() -> Path | None:
    """Return the folder with the programs of the newest server, which Debian does not put on the PATH."""
    found = [shutil.which("pg_ctl"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")), reverse=True)]
    folders = (Path(one).resolve().parent for one in found if one)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _unprivileged_user() -> str | None:
    """Return the user that runs the server if tests run as root, which PostgreSQL refuses; else None."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    user = next((name for name in ("postgres", "daemon") if name in known), None)
    if user is None:
        pytest.skip("no PostgreSQL: it does not run as root, and there is no user postgres or daemon")
    return user


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
