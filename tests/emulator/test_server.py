"""The emulator is started and stopped in Python and on the command line, and serves web pages."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.__main__ import main


def test_the_server_is_stopped_at_the_end_of_the_with_block() -> None:
    with BitbucketEmulator("empty") as bitbucket:
        assert requests.get(bitbucket.url, timeout=5).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(bitbucket.url, timeout=5)


def test_a_restart_keeps_state_and_address() -> None:
    bitbucket = BitbucketEmulator("empty").start()
    address = bitbucket.url
    with requests.Session() as session:
        session.auth = bitbucket.api_token
        session.post(f"{bitbucket.api_url}/repositories/acme/more", json={}, timeout=5)
        bitbucket.stop()
        with pytest.raises(requests.ConnectionError):  # open connections are closed too
            session.get(bitbucket.url, timeout=5)
    with bitbucket:
        assert bitbucket.url == address
        slugs = requests.get(f"{bitbucket.api_url}/repositories/acme", auth=bitbucket.api_token, timeout=5).json()["values"]
        assert [one["slug"] for one in slugs] == ["api", "more"]


def test_several_emulators_run_independently() -> None:
    with BitbucketEmulator("empty") as one, BitbucketEmulator("empty") as other:
        one.fault("rate_limit", count=None)
        assert requests.get(f"{other.api_url}/user", auth=other.api_token, timeout=5).status_code == 200
        assert requests.get(f"{one.api_url}/user", auth=one.api_token, timeout=5).status_code == 429


def test_requests_from_other_machines_are_accepted_only_if_allowed() -> None:
    with pytest.raises(ValueError, match="unless allow_remote is set"):
        BitbucketEmulator(host="0.0.0.0")  # noqa: S104 - the test expects that this address is refused
    BitbucketEmulator(host="0.0.0.0", allow_remote=True)  # noqa: S104 - the test expects that this address is allowed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": "none"}, "empty, demo, demo-without-nulls, large"),
        ({"seed": "empty", "pull_requests": 5}, "pull_requests"),
    ],
)
def test_the_error_for_an_unknown_seed_or_option_names_the_known_ones(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BitbucketEmulator(**arguments).start()  # type: ignore[arg-type]  # malformed arguments are the subject of this test


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_address_and_credentials_and_stops_at_a_signal(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "bitbucket_cloud_emulator", "--port", "0", "--seed", "empty", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout
        lines = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
        text = "".join(lines)
        api, login, token = re.search(r"API at (\S+)\).*API token +(\S+) / (\S+)", text, re.DOTALL).groups()  # type: ignore[union-attr]  # without a match the test fails as well
        answer = requests.get(f"{api}/user", auth=(login, token), timeout=5)
        assert answer.status_code == 200
        assert "acme: api" in text
        process.send_signal(how)
        assert process.wait(timeout=10) == 0


# Sends the signal while the emulator prints how to stop it.
STOP_AT_ONCE = """
import os, sys
from bitbucket_cloud_emulator.__main__ import main

class SignalOnPrint:
    def write(self, text):
        if "Ctrl-C" in text:
            os.kill(os.getpid(), int(sys.argv[1]))
        return sys.__stdout__.write(text)

    def flush(self):
        sys.__stdout__.flush()

sys.stdout = SignalOnPrint()
sys.exit(main(["--port", "0", "--seed", "empty"]))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_can_be_stopped_while_it_prints_how(how: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOP_AT_ONCE, str(int(how))], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_error_for_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--seed", "empty"]) == 1
    assert capsys.readouterr().err == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port.\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "192.0.2.1"], "allow"),
        (["--seed", "empty", "--pull-requests", "5", "--port", "0"], "pull_requests"),
        (["--now", "2026-11-02T08:00:00"], "time zone"),
    ],
)
def test_the_error_for_a_malformed_argument_names_it(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err


def test_the_start_of_the_clock_can_be_set() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with BitbucketEmulator("empty", now=start, speed=0) as bitbucket:
        assert bitbucket.clock() == start


def test_the_pages_of_html_links_open_without_login(bitbucket_emulator: BitbucketEmulator) -> None:
    api, auth = bitbucket_emulator.api_url + "/repositories/acme/api", bitbucket_emulator.api_token
    form = {"branch": "a<b>", "x.txt": "x"}
    requests.post(f"{api}/src", data=form, auth=auth, timeout=5)
    new = {"title": "<script>", "source": {"branch": {"name": "a<b>"}}}
    pull = requests.post(f"{api}/pullrequests", json=new, auth=auth, timeout=5).json()
    target = {"target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}}
    run = requests.post(f"{api}/pipelines", json=target, auth=auth, timeout=5).json()
    for path in ("/", "/acme/api", f"/acme/api/pipelines/results/{run['build_number']}", f"/acme/api/pull-requests/{pull['id']}"):
        page = requests.get(bitbucket_emulator.url + path, timeout=5)
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "<script>" not in page.text
    assert pull["links"]["html"]["href"] == f"{bitbucket_emulator.url}/acme/api/pull-requests/{pull['id']}"
    assert requests.get(f"{bitbucket_emulator.url}/acme/api/pipelines/results/99", timeout=5).status_code == 404
