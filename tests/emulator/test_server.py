"""Starting and stopping it: in Python, on the command line, and what a browser sees."""

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


def test_it_answers_inside_the_with_and_nobody_listens_after_it() -> None:
    with BitbucketEmulator("empty") as bitbucket:
        assert requests.get(bitbucket.url, timeout=5).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(bitbucket.url, timeout=5)


def test_it_goes_on_where_it_stopped_at_the_same_address() -> None:
    bitbucket = BitbucketEmulator("empty").start()
    address = bitbucket.url
    with requests.Session() as session:
        session.auth = bitbucket.api_token
        session.post(f"{bitbucket.api_url}/repositories/acme/more", json={}, timeout=5)
        bitbucket.stop()
        with pytest.raises(requests.ConnectionError):  # an open connection is cut too
            session.get(bitbucket.url, timeout=5)
    with bitbucket:
        assert bitbucket.url == address
        slugs = requests.get(f"{bitbucket.api_url}/repositories/acme", auth=bitbucket.api_token, timeout=5).json()["values"]
        assert [one["slug"] for one in slugs] == ["api", "more"]


def test_several_live_side_by_side() -> None:
    with BitbucketEmulator("empty") as one, BitbucketEmulator("empty") as other:
        one.fault("rate_limit", count=None)
        assert requests.get(f"{other.api_url}/user", auth=other.api_token, timeout=5).status_code == 200
        assert requests.get(f"{one.api_url}/user", auth=one.api_token, timeout=5).status_code == 429


def test_it_listens_to_other_machines_only_when_told() -> None:
    with pytest.raises(ValueError, match="unless allow_remote is set"):
        BitbucketEmulator(host="0.0.0.0")  # noqa: S104 - the address that is refused
    BitbucketEmulator(host="0.0.0.0", allow_remote=True)  # noqa: S104 - and allowed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": "none"}, "empty, demo, demo-without-nulls, large"),
        ({"seed": "empty", "pull_requests": 5}, "pull_requests"),
    ],
)
def test_a_seed_that_is_none_is_refused_with_those_there_are(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BitbucketEmulator(**arguments).start()  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_on_the_command_line_it_says_how_to_reach_it_and_stops_when_told(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "bitbucket_cloud_emulator", "--port", "0", "--seed", "empty", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout
        lines = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
        text = "".join(lines)
        api, login, token = re.search(r"API at (\S+)\).*API token +(\S+) / (\S+)", text, re.DOTALL).groups()  # type: ignore[union-attr]  # no match fails the test too
        answer = requests.get(f"{api}/user", auth=(login, token), timeout=5)
        assert answer.status_code == 200
        assert "acme: api" in text
        process.send_signal(how)
        assert process.wait(timeout=10) == 0


# Told to stop in the very moment in which it says how.
HASTY = """
import os, sys
from bitbucket_cloud_emulator.__main__ import main

class Hasty:
    def write(self, text):
        if "Ctrl-C" in text:
            os.kill(os.getpid(), int(sys.argv[1]))
        return sys.__stdout__.write(text)

    def flush(self):
        sys.__stdout__.flush()

sys.stdout = Hasty()
sys.exit(main(["--port", "0", "--seed", "empty"]))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_as_soon_as_it_says_so(how: signal.Signals) -> None:
    done = subprocess.run([sys.executable, "-c", HASTY, str(int(how))], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_port_that_is_taken_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
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
def test_a_wrong_argument_is_explained(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err


def test_the_time_it_starts_at_can_be_given() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with BitbucketEmulator("empty", now=start, speed=0) as bitbucket:
        assert bitbucket.clock() == start


def test_the_pages_behind_the_links_open_without_login(bitbucket_emulator: BitbucketEmulator) -> None:
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
