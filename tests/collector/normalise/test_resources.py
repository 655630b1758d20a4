"""Resources: service, version, environment, host key, place and tier, with their traps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.normalise.resources import LONGEST, describe, described, telling

ResourceOf = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("attributes", "service"),
    [
        ({"service.name": "orders"}, "orders"),
        ({"service.name": " orders "}, "orders"),
        ({}, "unknown_service"),
        ({"service.name": ""}, "unknown_service"),
        ({"service.name": "  "}, "unknown_service"),
        ({"service.name": 17}, "unknown_service"),
        ({"service.name": ["orders"]}, "unknown_service"),
        ({"service.name": "<unknown_service>"}, "unknown_service"),
        ({"service.name": "unknown_service"}, "unknown_service"),
        ({"service.name": "unknown_service:node"}, "unknown_service:node"),
        ({"service.name": "unknown_service:node", "faas.name": "checkout"}, "checkout"),
        ({"cloudflare.script_name": "front"}, "front"),
        ({"k8s.deployment.name": "orders"}, "orders"),
        ({"service.name": "orders", "faas.name": "checkout"}, "orders"),
    ],
)
def test_service(resource_of: ResourceOf, attributes: dict[str, Any], service: str) -> None:
    assert resource_of(attributes)["service"] == service


@pytest.mark.parametrize(
    ("attributes", "instance", "pooled"),
    [
        ({"host.id": "i-1", "host.name": "h", "service.instance.id": "s"}, "i-1", False),
        ({"host.name": "h", "k8s.pod.uid": "p"}, "h", False),
        ({"k8s.pod.uid": "p", "faas.instance": "f"}, "p", False),
        ({"faas.instance": "f", "service.instance.id": "s"}, "f", False),
        ({"service.instance.id": "s"}, "s", False),
        ({"host.id": "", "service.instance.id": "s"}, "s", False),
        ({"service.name": "web", "cloud.region": "fra1"}, "web@fra1", True),
        ({"service.name": "web"}, "web", True),
        ({"service.name": "web", "cloud.region": "earth"}, "web", True),
    ],
)
def test_host_key(resource_of: ResourceOf, attributes: dict[str, Any], instance: str, pooled: bool) -> None:
    row = resource_of(attributes)
    assert (row["instance"], row["pooled"]) == (instance, pooled)


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ({"cloud.region": "eu-central-1"}, "eu-central-1"),
        ({"vercel.region": "fra1", "cloud.region": "fra1"}, "fra1"),
        ({"cloudflare.colo": "FRA", "cloud.region": "earth"}, "FRA"),
        ({"cloud.region": "earth"}, None),
        ({}, None),
    ],
)
def test_place(resource_of: ResourceOf, attributes: dict[str, Any], place: str | None) -> None:
    assert resource_of(attributes)["place"] == place


@pytest.mark.parametrize(
    ("attributes", "scope", "tier"),
    [
        ({"telemetry.sdk.language": "webjs"}, "", "browser"),
        ({"telemetry.sdk.name": "cloudflare", "telemetry.sdk.language": "javascript"}, "", "edge"),
        ({"telemetry.sdk.name": "@microlabs/otel-cf-workers"}, "", "edge"),
        ({"telemetry.sdk.name": "@microlabs/otel-workers-sdk"}, "", "edge"),
        ({"cloud.platform": "cloudflare.workers"}, "", "edge"),
        ({"cloud.provider": "vercel", "vercel.runtime": "edge"}, "", "edge"),
        ({"process.runtime.name": "edge"}, "", "edge"),
        ({"cloud.provider": "vercel", "vercel.runtime": "edge"}, "next.js", "edge"),
        ({"cloud.provider": "vercel", "vercel.runtime": "nodejs"}, "", "render"),
        # set off Vercel too, and says nothing alone
        ({"cloud.provider": "vercel"}, "", "unknown"),
        ({"telemetry.sdk.language": "nodejs"}, "next.js", "render"),
        ({"telemetry.sdk.language": "nodejs"}, "@opentelemetry/instrumentation-http", "origin"),
        ({"cloud.platform": "aws_lambda"}, "next.js", "render"),
        ({"telemetry.sdk.language": "webjs"}, "next.js", "browser"),
        ({"telemetry.sdk.language": "go"}, "", "origin"),
        ({"telemetry.sdk.language": "python"}, "opentelemetry.instrumentation.celery", "origin"),
        ({"telemetry.sdk.language": "java"}, "", "origin"),
        ({"telemetry.sdk.language": "dotnet"}, "", "origin"),
        ({"cloud.platform": "aws_lambda"}, "", "origin"),
        ({"cloud.platform": "aws_ecs"}, "", "origin"),
        ({"cloud.platform": "aws_eks"}, "", "origin"),
        ({"cloud.platform": "aws_ec2"}, "", "origin"),
        ({"cloud.platform": "gcp_cloud_run"}, "", "origin"),
        ({"cloud.platform": "gcp_kubernetes_engine"}, "", "origin"),
        ({"cloud.platform": "azure.app_service"}, "", "origin"),
        ({"cloud.platform": "azure_functions"}, "", "origin"),
        ({"telemetry.sdk.language": "deno-rust"}, "deno", "origin"),
        ({"telemetry.sdk.language": "deno-rust", "deno.revision.id": "r1"}, "deno", "edge"),
        ({}, "", "unknown"),
    ],
)
def test_tier(resource_of: ResourceOf, attributes: dict[str, Any], scope: str, tier: str) -> None:
    assert resource_of(attributes, scope)["tier"] == tier


def test_the_rest(resource_of: ResourceOf) -> None:
    row = resource_of(
        {
            "service.name": "orders",
            "service.version": "1.2.3",
            "env": "old",
            "deployment.environment": "older",
            "deployment.environment.name": "production",
            "telemetry.sdk.language": "go",
            "telemetry.sdk.name": "opentelemetry",
            "replicas": 3,
        }
    )
    assert row["service_version"] == "1.2.3"
    assert row["environment"] == "production"
    assert (row["language"], row["sdk"]) == ("go", "opentelemetry")
    assert {"key": "replicas", "value": "3"} in row["attributes"]


def test_vercel_names_no_sdk_but_runs_on_node(resource_of: ResourceOf) -> None:
    assert resource_of({"process.runtime.name": "nodejs", "vercel.runtime": "nodejs"})["language"] == "nodejs"


def test_what_is_remembered_of_a_resource_is_short() -> None:
    said = [("service.name", "s", True), ("own", "x" * 60_000, True)]
    said += [(f"deno.{number}", "y" * 60_000, True) for number in range(1000)]
    assert telling([*said, ("service.name", "z", True)]) == (("service.name", "z", True), ("deno.", "", True))
    describe.cache_clear()
    assert described(said).service == "s"
    assert described([("service.name", "s" * (LONGEST + 1), True)]).service == "s" * (LONGEST + 1)
    assert describe.cache_info().currsize == 1


def test_the_id_is_for_ever(resource_of: ResourceOf) -> None:
    assert resource_of({"service.name": "orders", "host.name": "h1"})["resource_id"] == 1932571751651298751
    assert resource_of({})["resource_id"] == 1062817337838465410


def test_the_id_does_not_care_for_order(resource_of: ResourceOf) -> None:
    one = resource_of({"service.name": "orders", "host.name": "h1", "n": 1})
    other = resource_of({"n": 1, "host.name": "h1", "service.name": "orders"})
    assert one["resource_id"] == other["resource_id"]


def test_different_resources_have_different_ids(resource_of: ResourceOf) -> None:
    given: list[dict[str, Any]] = [
        {},
        {"a": "b"},
        {"b": "a"},
        {"a": "b", "b": "a"},
        {"a": 1},
        {"a": "1"},
        {"a": True},
        {"a": "true"},
        {"ab": ""},
        {"a": "b", "c": "d"},
        {"a": "d", "c": "b"},
    ]
    ids = [resource_of(attributes)["resource_id"] for attributes in given]
    assert len(set(ids)) == len(ids)
    assert all(ids)


def test_a_batch_has_each_resource_once(tables: Callable[..., dict[str, Any]]) -> None:
    span = {"resource": {"service.name": "orders"}}
    other = {"resource": {"service.name": "stock"}}
    made = tables([span, other, span], [span])
    ids = made["spans"]["resource_id"].to_pylist()
    assert made["resources"].num_rows == 2
    assert ids[0] == ids[2] == ids[3] != ids[1]
    assert set(ids) == set(made["resources"]["resource_id"].to_pylist())
