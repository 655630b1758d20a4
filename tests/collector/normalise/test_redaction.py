"""Secrets in attributes are struck out: by key, at the door, in every signal, and as if nothing had been sent."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.decoding.decode import Body
from collector.ingest import ingest
from collector.normalise import keys
from collector.normalise.redaction import STRUCK_OUT, secret_keys
from collector.normalise.resources import ENVIRONMENT_KEYS, INSTANCE_KEYS, PLACE_KEYS, SERVICE_KEYS, VERSION_KEYS
from seamscope.config import SHIPPED_SECRETS, Rules
from tests.collector import traffic
from tests.collector.normalise.conftest import encoded
from tests.collector.test_metrics import Exporting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.collector.normalise.conftest import Row

SECRETS = [
    "http.request.header.authorization",
    "http.request.header.Proxy_Authorization",
    "http.request.header.cookie",
    "http.response.header.set_cookie",
    "http.request.header.x-api-key",
    "http.request.header.x_auth_token",
    "rpc.request.metadata.authorization",
    "req.headers.Cookie",
    "process.environment_variable.DB_PASSWORD",
    "aws_secret_access_key",
    "client_secret",
    "refresh_token",
    "idToken",
    "X-ApiKey",
    "secretKey",
    "password",
]
HARMLESS = [
    "http.request.header.content-type",
    "http.request.header.x-request-id",
    "gen_ai.usage.input_tokens",
    "session.id",
    "code.function.name",
    "password.changed",
    "cookie.count",
    "",
]
PATTERNS = st.lists(st.tuples(st.text("aB_-*?.\\\n\x00[", max_size=5), st.booleans()), max_size=6)
KEYS = st.lists(st.text("aAbB_-.*?\\\n\x00[é", max_size=6), max_size=20)


def marked(keys: list[str], *patterns: tuple[str, bool]) -> list[str]:
    """Give those of some keys that hold secrets."""
    secret = secret_keys(pa.array(keys, pa.string()), patterns)
    return [key for key, is_secret in zip(keys, secret, strict=True) if is_secret]


def test_what_is_shipped_knows_credentials_and_nothing_else() -> None:
    assert marked([*SECRETS, *HARMLESS], *SHIPPED_SECRETS) == SECRETS


def test_nothing_that_tells_about_time_or_place_is_a_secret() -> None:
    tables = (keys.SPANS, keys.EVENTS, keys.LINKS, keys.LOGS, keys.POINTS)
    told = [key for table in tables for key in table.meaning]
    told += [*SERVICE_KEYS, *ENVIRONMENT_KEYS, *VERSION_KEYS, *INSTANCE_KEYS, *PLACE_KEYS]
    assert marked(told, *SHIPPED_SECRETS) == []


def test_the_first_pattern_that_fits_wins() -> None:
    rules = (("page.*", False), ("*.email", True), ("*", False), ("*token", True))
    assert marked(["page.email", "user.email", "token"], *rules) == ["user.email"]


def plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "")


@given(PATTERNS, KEYS)
def test_patterns_are_the_shells(patterns: list[tuple[str, bool]], keys: list[str]) -> None:
    def said(key: str) -> bool:
        shell = ((plain(pattern).replace("[", "[[]"), is_secret) for pattern, is_secret in patterns)
        return next((is_secret for pattern, is_secret in shell if fnmatchcase(plain(key), pattern)), False)

    assert marked(keys, *patterns) == [key for key in keys if said(key)]


def of(table: pa.Table, *rows: int) -> list[dict[str, str]]:
    """Give the attributes of some rows by key."""
    attributes = table["attributes"].to_pylist()
    return [{each["key"]: each["value"] for each in attributes[row]} for row in rows]


SENT = {"refresh_token": "hunter2", "Cookie": "a=hunter2", "pin.password": 1234567, "kept": "yes"}
STORED = {"refresh_token": STRUCK_OUT, "Cookie": STRUCK_OUT, "pin.password": STRUCK_OUT, "kept": "yes"}


def holds_no_secret(tables: Any) -> bool:
    text = "".join(str(table.to_pylist()) for table in tables.values())
    return "hunter2" not in text and "1234567" not in text


def test_of_traces_nothing_is_stored_anywhere() -> None:
    span = {"resource": SENT, "attributes": SENT, "events": [("here", 1, SENT)], "links": [SENT]}
    tables = ingest([encoded([span])]).tables
    for name in ("spans", "resources", "span_events", "span_links"):
        (found,) = of(tables[name], 0)
        assert found == STORED, name
    assert holds_no_secret(tables)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_of_logs_nothing_is_stored_anywhere(encoding: Any) -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    record = resource.scope_logs.add().log_records.add(time_unix_nano=5)
    for owner in (resource.resource, record):
        owner.attributes.add(key="set-cookie").value.string_value = "hunter2"
        owner.attributes.add(key="kept").value.bool_value = True
    data = request.SerializeToString() if encoding == "protobuf" else traffic.as_json(request)
    tables = ingest([Body(data, encoding, "logs")]).tables
    assert [of(tables[name], 0) for name in ("logs", "resources")] == [[{"set-cookie": STRUCK_OUT, "kept": "true"}]] * 2
    assert holds_no_secret(tables)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_of_metrics_nothing_is_stored_anywhere(encoding: str) -> None:
    sent = Exporting(service="hunter2")
    sent.point("db.client.connection.count", as_int=3, attributes={"pool.name": "hunter2", "state": "idle"})
    rules = Rules(redact=(("pool.*", True), ("service.name", True)))
    tables = ingest([sent.body(encoding)], rules).tables
    assert of(tables["metric_points"], 0) == [{"pool.name": STRUCK_OUT, "state": "idle"}]
    assert tables["metric_points"].select(["pool", "state"]).to_pylist() == [{"pool": None, "state": "idle"}]
    assert of(tables["resources"], 0) == [{"service.name": STRUCK_OUT}]
    assert holds_no_secret(tables)


def test_what_is_struck_out_says_nothing(emit: Callable[..., Row]) -> None:
    sent = {"http.request.header.x-request-id": "r-1", "server.address": "db-1", "http.response.status_code": 503}
    whole = emit(kind="client", attributes=sent)
    bare = emit(kind="client", attributes=sent, rules=Rules(redact=(("*x-request-id", True), ("server.*", True))))
    columns = ("correlation_id", "peer", "http_status")
    assert [whole[name] for name in columns] == ["r-1", "db-1", 503]
    assert [bare[name] for name in columns] == [None, None, 503]


def test_messages_are_not_joined_by_what_is_struck_out(emit: Callable[..., Row]) -> None:
    sent = {"kind": "consumer", "links": [{"messaging.message.id": "m-1"}]}
    assert emit(**sent)["message_id"] == "m-1"
    assert emit(**sent, rules=Rules(redact=(("messaging.message.id", True),)))["message_id"] is None


def test_what_is_beside_a_secret_is_not_touched(emit_all: Callable[..., list[Row]]) -> None:
    rows = emit_all({"attributes": {"token": "x"}}, {"attributes": {"n": 7, "x": "y"}})
    assert [each["value"] for each in rows[0]["attributes"]] == [STRUCK_OUT]
    assert [each["value"] for each in rows[1]["attributes"]] == ["7", "y"]
