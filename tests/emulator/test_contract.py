"""The emulator conforms to Bitbucket's published OpenAPI: its routes exist, and its answers have the documented shape."""

from __future__ import annotations

import re

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.app import ROUTERS
from bitbucket_cloud_emulator.core.http import API, route_template
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator.tour import Exchange, Tour
from tests.openapi import OpenApi
from tests.openapi_deviations import DEVIATIONS, STATUS_DEVIATIONS, UNDOCUMENTED_ROUTES

#: ``METHOD /template`` of every API route; a trailing slash does not make another route.
ROUTES = sorted(
    {
        f"{method} {route_template(route.path).rstrip('/')}"
        for router in ROUTERS
        for route in router.routes
        if route.path.startswith(f"{API}/")
        for method in route.methods
    }
)


@pytest.fixture(scope="module")
def openapi() -> OpenApi:
    return OpenApi.load()


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    with BitbucketEmulator(seed="empty", speed=0, now=NOW) as bitbucket:
        return Tour(bitbucket).everything()


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_documented_by_bitbucket(openapi: OpenApi, route: str) -> None:
    method, template = route.split(" ")
    assert (method, template) in openapi.operations or route in UNDOCUMENTED_ROUTES


def test_every_answer_has_the_documented_shape(openapi: OpenApi, exchanges: list[Exchange]) -> None:
    problems = set()
    for one in exchanges:
        if _undocumented(one):
            continue
        try:
            openapi.validate_response(one.method, one.path, one.status, one.body)
        except AssertionError as problem:
            problems.add(str(problem))
    assert not problems, "\n".join(sorted(problems))


def test_the_tour_receives_a_successful_answer_from_every_route(exchanges: list[Exchange]) -> None:
    answered = {(one.method, one.path.rstrip("/")) for one in exchanges if one.status < 400 or one.status == 410}
    unvisited = []
    for route in ROUTES:
        method, template = route.split(" ")
        pattern = re.compile(f"{API}{_pattern_of(template)}")
        if not any(method == requested and pattern.fullmatch(path) for requested, path in answered):
            unvisited.append(route)
    assert not unvisited, f"extend tests/emulator/tour.py by {unvisited}"


def test_every_request_with_a_successful_answer_conforms_to_the_openapi(openapi: OpenApi, exchanges: list[Exchange]) -> None:
    for one in exchanges:
        if one.status < 400 and not _undocumented(one):
            openapi.validate_request(one.method, one.path, one.query)


def test_every_listed_deviation_occurs(openapi: OpenApi, exchanges: list[Exchange]) -> None:
    strict = OpenApi(openapi.document)
    for one in exchanges:
        if not _undocumented(one):
            strict.validate_response(one.method, one.path, one.status, one.body)
    listed = {one.problem for one in DEVIATIONS if "request" not in one.where}
    listed |= {f"{operation} {status}" for operation, status in STATUS_DEVIATIONS}
    assert sorted(listed - strict.used_deviations) == []


def _undocumented(exchange: Exchange) -> bool:
    return any(
        exchange.method == method and re.fullmatch(f"{API}{_pattern_of(template)}/?", exchange.path)
        for method, template in (route.split(" ") for route in UNDOCUMENTED_ROUTES)
    )


def _pattern_of(template: str) -> str:
    return re.sub(
        r"\{(path|name|revision|rest|spec)\}", ".*", re.sub(r"\{(?!path|name|revision|rest|spec)[A-Za-z_]+\}", "[^/]+", template)
    )
