"""What the container file runs does what it says; the image itself is not built here."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import trustme

from tests.collector import traffic

PROJECT = Path(__file__).resolve().parents[1]
TEXT = re.sub(r"\\\n", "", (PROJECT / "docs/Containerfile").read_text())


def instruction(name: str, word: str = "") -> str:
    """Give the last instruction of a name that has a word in it."""
    found: list[str] = re.findall(rf"^{name} (.*{word}.*)$", TEXT, re.MULTILINE)
    return found[-1]


def test_the_warming_of_the_image_ends_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "seamscope"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m seamscope "$@"\n')
    program.chmod(0o755)
    source, there = instruction("COPY", "warm").split()[-2:]
    shutil.copytree(PROJECT / source.removeprefix("/src/"), tmp_path / Path(there).name)
    run = instruction("RUN", "warm").replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - the image's own
    text = f'PATH="{program.parent}:$PATH"; {run}'
    assert f"--samples {tmp_path}/{Path(there).name} " in text
    done = subprocess.run(["sh", "-c", text], check=True, timeout=300, capture_output=True, text=True, cwd=tmp_path)
    assert re.search(r"\d+ requests", done.stdout), done.stdout  # all was used, and so is compiled
    assert {place.name for place in tmp_path.iterdir()} == {"bin"}


def test_the_container_takes_spans_and_is_healthy(tmp_path: Path) -> None:
    """With certificates and tokens where its command looks for them; its ports are free ones."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    for name, token in (("ingest-tokens", "ingest-0123456789abcdef"), ("read-tokens", "read-0123456789abcdef")):
        (tmp_path / name).write_text(f"{token}\n")
    (tmp_path / "cert.pem").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    (tmp_path / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    words = [*json.loads(instruction("ENTRYPOINT")), *json.loads(instruction("CMD"))]
    assert words[:2] == ["seamscope", "collect"]
    given = [re.sub(r":43\d\d$", ":0", word.replace("/run/secrets/", f"{tmp_path}/")) for word in words[2:]]
    given += ["--db", "s.duckdb", "--ready-file", "ready.json"]
    with traffic.Program(tmp_path, "collect", *given) as program:
        program.line()
        about = json.loads((tmp_path / "ready.json").read_text())
        grpc_port, http_port = (about[name].rpartition(":")[2] for name in ("grpc", "http"))
        health = instruction("HEALTHCHECK").partition(" CMD ")[2].replace("4318", http_port)
        python, *rest = json.loads(health)
        assert python == "python"
        subprocess.run([sys.executable, *rest], check=True, timeout=60)
        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        metadata = (("authorization", "Bearer ingest-0123456789abcdef"),)
        with grpc.secure_channel(f"127.0.0.1:{grpc_port}", credentials) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            export(traffic.spans(8).SerializeToString(), metadata=metadata, timeout=traffic.DEADLINE_S)
        program.send(signal.SIGTERM)
        assert program.end()[0] == 0
