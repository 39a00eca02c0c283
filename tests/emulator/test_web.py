"""The web pages behind the links of responses."""

from __future__ import annotations

import requests

from bitbucket_cloud_emulator import BitbucketEmulator

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def page(bitbucket: BitbucketEmulator, path: str) -> requests.Response:
    return requests.get(f"{bitbucket.url}{path}", headers=BROWSER, timeout=10)


def test_a_pipeline_shows_its_steps_with_their_logs_and_its_variables(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.script("api", "default", steps=[{"name": "Build", "seconds": 5, "log": "all <b>good</b>"}])
    started = requests.post(
        f"{bitbucket_emulator.api_url}/repositories/acme/api/pipelines/",
        auth=bitbucket_emulator.api_token,
        json={
            "target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"},
            "variables": [{"key": "RELEASE", "value": "1.2"}, {"key": "TOKEN", "value": "hidden", "secured": True}],
        },
        timeout=10,
    ).json()
    bitbucket_emulator.clock(advance=60)
    pipeline = f"/acme/api/pipelines/results/{started['build_number']}"
    shown = page(bitbucket_emulator, pipeline)
    assert "RELEASE</td><td>1.2" in shown.text
    assert "TOKEN</td><td>secured" in shown.text
    assert "hidden" not in shown.text
    link = shown.text.partition(f'href="{pipeline}/steps/')[2].partition('"')[0]
    assert link.startswith("%7B")
    assert "all &lt;b&gt;good&lt;/b&gt;" in page(bitbucket_emulator, f"{pipeline}/steps/{link}").text


def test_a_browser_gets_a_page_for_an_unknown_address(bitbucket_emulator: BitbucketEmulator) -> None:
    for path, status in (
        ("/acme/nowhere", 404),
        ("/acme/api/pipelines/results/9/steps/x", 404),
        ("/nowhere", 403),
        ("/a/b/c/d", 403),
    ):
        answer = page(bitbucket_emulator, path)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, "text/html")
        assert "<h1>" in answer.text
        assert 'href="/"' in answer.text
    assert requests.get(f"{bitbucket_emulator.url}/a/b/c/d", timeout=10).json()["error"]["message"] == "Forbidden"
