"""What a scenario is, what a system must offer, and how the seed draws what differs between two recordings.

Everything here is plain data and pure: a scenario and a seed say what is sent, what is injected and what is expected.
Systems import this module and `stage`; `record.py` drives them.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from stage import Stage

Variant = Literal["phases", "blind"]
Knobs = Mapping[str, Any]
"""What the seed drew for one recording: names, injected milliseconds, pool sizes, places. JSON values only."""


class CannotRecord(Exception):
    """Something that recording needs is missing, does not start, or did not do what it should."""


@dataclass(frozen=True)
class Planned:
    """One request to send.

    Attributes:
        key: its name in the answers beside a recording; never sent.
        due_ns: when to send it, counted from the start of the scenario.
        request_id: sent as `x-request-id`.
        cookie: value of the cookie `session`, where not empty.
        kind: the sort of request (a route, as the plan calls it); latencies are compared with the control's by kind.
        headers: further headers, sent as they are.
    """

    key: str
    due_ns: int
    method: str
    path: str
    request_id: str
    cookie: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    kind: str = ""


@dataclass(frozen=True)
class Fault:
    """What a judge should make of the injected fault.

    Attributes:
        cause: a cause of contract §3: the answer where the second instrument saw enough of it.
        owner: `tier:service` or seam (`tier:a→tier:b`), as contract §3 says for that cause; may hold `{name}`s that
            `knobs["names"]` fills in, such as `origin:{orders}→origin:{pricing}`.
        findings: rules that should fire where the fault is at least a tenth of the horizon.
        not_findings: rules that must not fire on any request.
        moves: false where the fault must not change any latency (clocks, lost spans, asynchronous work): then nothing
            is compared with the control.
        with_causes: further causes that one fault pays together with `cause` (keep-alive lost: connect and tls), each
            owned by `owner` too. `cause` is the one that must lead.
        kinds: kinds of requests that `findings` are expected on; empty: all that the fault touched.
        always: findings expected on every request of `kinds`, however little it cost (lost context, lost ids).
        recast: (owner, cause) pairs of measured time that is `cause` of `owner` here, where a tap took the spans that
            would name it; `*` is any. A lost server span: `(("origin:{orders}", "*"),)` with cause `unobserved`.
        recast_when: whether that is so for a request (its traces say what a tap did to it).
    """

    cause: str
    owner: str
    findings: tuple[str, ...] = ()
    not_findings: tuple[str, ...] = ()
    moves: bool = True
    with_causes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    recast: tuple[tuple[str, str], ...] = ()
    recast_when: Callable[[Found], bool] = lambda _: True


@dataclass(frozen=True)
class Pair:
    """Two kinds of requests that differ in what a rule would have mended: what that saves is what lies between them.

    Attributes:
        rule: the finding.
        kind: requests that are held.
        without: the same ones, mended.
        control: the mended ones are those of the control's recording, not of this one.
        horizon: the horizon that is compared.
    """

    rule: str
    kind: str
    without: str
    control: bool = False
    horizon: Literal["shell", "complete"] = "shell"


@dataclass(frozen=True)
class Scenario:
    """One recording of one system.

    Attributes:
        name: folder name, `<system>-<fault>[-blind]`, such as `a-dns-slow-blind`.
        system: the letter of the system.
        dialect: what sends the spans, for the README (`Next.js 16 + @vercel/otel → Go otelhttp`).
        title: the fault in a few words, for the README.
        plan: seeded requests in order of `due_ns`, at least 100, 8 to 15 s of them, some hit by the fault and some not.
        warm_up: requests sent before the recording begins.
        at_once: the most requests under way.
        draw: what the seed draws beside the system's own names; given the dice of this scenario.
        fault: None for a healthy control.
        also: further faults beside it; a request may meet one of them, or several.
        control: name of the healthy scenario of the same system; None for a control.
        taps: transforms of the recorded bodies, given the knobs; see `tap`.
        needs: `namespaces` where the fault cannot be injected without them (DNS, TUN), else empty.
        options: whatever the system's `start` understands; merged under what `draw` gives.
        cold: programs are started anew after the warm-up, so that the recording holds their first requests.
        horizon: which horizon is asked for where the first byte brought the last one along: `shell` where the entry's
            spans end at the headers (Deno's), so that nothing in the recording tells of a last byte.
        pairs: what the stopwatch can say of savings here.
    """

    name: str
    system: str
    dialect: str
    title: str
    plan: Callable[[random.Random, Knobs], list[Planned]]
    warm_up: Callable[[random.Random, Knobs], list[Planned]]
    at_once: int = 6
    draw: Callable[[random.Random], dict[str, Any]] = lambda _: {}
    fault: Fault | None = None
    control: str | None = None
    variant: Variant = "phases"
    taps: Callable[[Knobs], Sequence[Any]] = lambda _: ()
    needs: tuple[str, ...] = ()
    options: Mapping[str, Any] | None = None
    cold: bool = False
    horizon: Literal["shell", "complete"] = "complete"
    also: tuple[Fault, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is wrong here; empty for a control."""
        return () if self.fault is None else (self.fault, *self.also)


@dataclass(frozen=True)
class Entry:
    """Where the driver sends requests: a host of the stage, its port, and the `Host` header (default: address:port).

    Attributes:
        filled_in: texts in header values and bodies of planned requests that only a build knows, such as the id of a
            server action: placeholder → text.
    """

    host: str
    port: int
    host_header: str = ""
    filled_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A request in the recorded spans: its traces, and its entry span."""

    trace_ids: tuple[str, ...]
    service: str
    span_id: str


class System(Protocol):
    """One system that teams run. A module `systems.<letter>.system` has an instance of it named `SYSTEM`.

    Attributes:
        letter: its letter, `a` to `e`.
        programs: programs it needs → how to install them (a line to paste, for people).
    """

    letter: str
    programs: Mapping[str, str]

    def names(self, dice: random.Random) -> dict[str, str]:
        """What things are called in this seed: `{"web": "edge-web", "orders": "orders", …}`; one draw for all of the
        system's scenarios, so that a fault and its control speak of the same services. Becomes `knobs["names"]`.
        """
        ...

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Build apps and data below `work`, once: return at once where it is done already. `found`: program → path.

        Raises:
            CannotRecord: with the end of what the failing tool wrote.
        """
        ...

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Start every program of the scenario on hosts of the stage and wait until each answers.

        Programs get `WITNESS=stage.witness(<name>)` and export to `stage.otlp_http` or `stage.otlp_grpc`, with
        `OTEL_BSP_SCHEDULE_DELAY=500`. The stage stops them; a program that sends spans must flush on SIGTERM.
        """
        ...

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Called when the driver begins to send what is recorded; may start burners or freezers. Must not block."""
        ...

    def find(self, spans: Sequence[Any]) -> dict[str, Found]:
        """Requests in the recorded spans by request id (or by key, for those without); `otlp.find_by_request_id` does
        it for entries that carry `http.request.header.x-request-id`. Spans are `otlp.Span`.
        """
        ...


def dice_of(seed: int, *purpose: str) -> random.Random:
    """Dice of their own for each purpose, the same for the same seed on every machine."""
    digest = hashlib.sha256("/".join([str(seed), *purpose]).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def knobs_of(scenario: Scenario, system: System, seed: int) -> dict[str, Any]:
    """All that the seed draws for one recording."""
    names = system.names(dice_of(seed, scenario.system, "names"))
    drawn = scenario.draw(dice_of(seed, scenario.name, "draw"))
    return {**(scenario.options or {}), **drawn, "names": names, "variant": scenario.variant}


def drawn_id(dice: random.Random) -> str:
    """A request id: a version 4 UUID from the dice."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def hit(request_id: str, share: float, salt: int = 0) -> bool:
    """Whether a request is among the `share` that a fault touches. The id alone decides, wherever it is asked."""
    digest = hashlib.sha256(f"{salt}:{request_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
