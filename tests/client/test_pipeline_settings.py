"""Variables, schedules and environments: what exists afterwards, also when an answer was lost or another client was faster."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.client.resources.pipeline_schedules import BitbucketScheduleLimitError
from airflow_provider_bitbucket.client.transport.errors import BitbucketNotFoundError
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture(params=["repository", "workspace", "environment"])
def scope(request: pytest.FixtureRequest, client: BitbucketClient) -> dict[str, str]:
    """Whose variables: each test runs for a repository, the workspace and an environment."""
    if request.param == "workspace":
        return {}
    if request.param == "repository":
        return {"repository": "api"}
    return {"repository": "api", "environment": client.environments.ensure("api", "Production", "Production")["uuid"]}


def test_a_variable_that_is_ensured_twice_exists_once(client: BitbucketClient, scope: dict[str, str]) -> None:
    for value in ("one", "two", "two"):
        client.pipeline_variables.ensure("REGION", value, **scope)

    assert [(one["key"], one["value"]) for one in client.pipeline_variables.list(**scope)] == [("REGION", "two")]


def test_a_variable_whose_creation_got_no_answer_exists_once_with_its_value(
    client: BitbucketClient, scope: dict[str, str], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="variables")

    client.pipeline_variables.ensure("REGION", "eu", **scope)

    assert [one["value"] for one in client.pipeline_variables.list(**scope)] == ["eu"]


def test_a_secured_value_is_written_each_time_and_never_returned(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    for value in ("old", "new", "new"):
        returned = client.pipeline_variables.ensure("TOKEN", value, "api", secured=True)
        assert "value" not in returned

    kept = next(bitbucket_emulator.state.repositories()).variables
    assert [(one.key, one.value) for one in kept] == [("TOKEN", "new")]
    assert (
        bitbucket_emulator.requests()["PUT /repositories/{workspace}/{repo_slug}/pipelines_config/variables/{variable_uuid}"] == 2
    )


def test_an_unsecured_value_that_is_there_already_is_not_written(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    for _ in range(2):
        client.pipeline_variables.ensure("REGION", "eu", "api")

    assert not [route for route in bitbucket_emulator.requests() if route.startswith("PUT")]


def test_a_secured_variable_is_never_made_readable(client: BitbucketClient) -> None:
    client.pipeline_variables.ensure("TOKEN", "hush", "api", secured=True)

    with pytest.raises(ValueError, match="'TOKEN' is secured"):
        client.pipeline_variables.ensure("TOKEN", "hush", "api")


def test_a_variable_on_a_later_page_is_found(client: BitbucketClient) -> None:
    for number in range(12):
        client.pipeline_variables.create(f"KEY_{number}", "x", "api")

    assert client.pipeline_variables.find("KEY_11", "api")


def test_an_environment_without_its_repository_is_refused(client: BitbucketClient) -> None:
    with pytest.raises(ValueError, match="without a repository"):
        client.pipeline_variables.list(environment="{e}")


def test_a_variable_of_an_environment_is_found_by_uuid_though_only_lists_are_offered(client: BitbucketClient) -> None:
    scope = {"repository": "api", "environment": client.environments.ensure("api", "QA", "Test")["uuid"]}
    made = client.pipeline_variables.create("REGION", "eu", **scope)

    assert client.pipeline_variables.get(made["uuid"], **scope)["key"] == "REGION"
    with pytest.raises(BitbucketNotFoundError):
        client.pipeline_variables.get("{none}", **scope)


def test_an_environment_whose_creation_got_no_answer_exists_once(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="environments")

    made = client.environments.ensure("api", "Production EU", "Production")

    assert [one["uuid"] for one in client.environments.list("api") if one["name"] == "Production EU"] == [made["uuid"]]


def test_an_environment_of_another_type_is_not_taken(client: BitbucketClient) -> None:
    client.environments.ensure("api", "Production EU", "Production")

    with pytest.raises(ValueError, match="of type Production, not Staging"):
        client.environments.ensure("api", "production eu", "Staging")


def test_too_many_schedules_are_not_mistaken_for_wrong_credentials(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.state.settings.schedules_limit = 1
    client.pipeline_schedules.create("api", "main", "0 0 2 * * ? *")

    with pytest.raises(BitbucketScheduleLimitError, match="as many schedules as Bitbucket allows"):
        client.pipeline_schedules.create("api", "main", "0 0 3 * * ? *")


def test_a_cache_is_filled_by_a_pipeline_and_can_be_deleted(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.script("api", "default", steps=[{"name": "Build", "seconds": 5, "caches": ["node", "pip"]}])
    client.pipelines.trigger("api", branch="main")
    assert [*client.pipeline_caches.list("api")] == []
    bitbucket_emulator.clock(advance=60)

    assert [one["name"] for one in client.pipeline_caches.list("api")] == ["node", "pip"]
    client.pipeline_caches.delete_named("api", "node")
    assert [one["name"] for one in client.pipeline_caches.list("api")] == ["pip"]


def test_the_next_pipeline_has_the_build_number_that_was_set(client: BitbucketClient) -> None:
    client.pipeline_config.set_next_build_number("api", 500)

    assert client.pipelines.trigger("api", branch="main")["build_number"] == 500
