"""Pass A, second half: who runs where, who called whom and what happened in each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import attempts, extents, phases, place, siblings, timing, witnesses
from analysis import calls as calling
from analysis.arrays import NONE, Codes, Int32s, Int64s, Mask
from analysis.grouping import number_pairs
from seamscope.schema import words

if TYPE_CHECKING:
    import numpy.typing as npt

    from analysis.calls import Calls
    from analysis.clocks import Clocks
    from analysis.forest import Forest
    from analysis.inferred import OwnTime
    from analysis.rules import Peers, Rules

CLIENT: Final = words.code(words.SPAN_KINDS, "client")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
PRODUCER: Final = words.code(words.SPAN_KINDS, "producer")
QUERY: Final = words.code(words.ROLES, "query")
FETCH: Final = words.code(words.ROLES, "fetch")
GETCONN: Final = words.code(words.ROLES, "getconn")
RETRY: Final = words.code(words.CAUSES, "retry")
RECEIVE: Final = words.code(words.ROLES, "receive")
IS_PHASE: Final = np.array([calling.is_phase(role) for role in range(len(words.ROLES))], np.uint8)
COLUMN_PHASES: Final = ("pool_wait_ns", "dns_ns", "connect_ns", "tls_ns", "send_ns", "first_byte_ns", "transfer_ns")
NAMING: Final = ("peer", "peer_port", "db_system", "db_namespace", "messaging_system", "rpc_method")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Numbers for the texts that tell calls apart, by row; -1 where there is none."""

    peer: Int64s
    system: Int64s
    hit: Codes


@dataclass(frozen=True, slots=True)
class Seams:
    """By call: the parties on both sides, and the number of the seam between them."""

    caller: Int32s
    callee: Int32s
    seam: Int32s
    loose: Int32s
    """By row: the seam of a phase span that is in no call; -1 for any other."""
    pairs: npt.NDArray[np.int32]
    """By seam: caller and callee."""
    otherwise: Codes
    """The cause of time that no evidence speaks for."""
    first_server: Int32s
    """By call: the server span that started first; -1 where the callee sent nothing."""
    servers: Int32s
    """By call: how many server spans it has."""
    learned: pl.DataFrame
    """Hosts that answered with server spans, columns `PEERS`."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Every call's extent, cut into labelled stretches (`phases.label_calls`)."""

    members_from: Int64s
    members: Int32s
    firsts: Int64s
    low: Int64s
    high: Int64s
    cause: Codes
    evidence: Codes
    given_up: Mask
    """By call: it failed and was sent again (`attempts.given_up`)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What does not depend on clocks: where spans run, and who calls."""

    forest: Forest
    tier: Codes
    party: Int32s
    parties: place.Parties
    calls: Calls
    lent: Int32s
    """By row: the call that this wait came before (`siblings.lend_waits`)."""
    peer: Int64s
    """By row: a number for the host it talks to, the same in every batch; -1 where there is none."""


@dataclass(frozen=True, slots=True)
class Journeys:
    """What pass A found about every span and call."""

    forest: Forest
    tier: Codes
    party: Int32s
    parties: place.Parties
    calls: Calls
    times: timing.Times
    seams: Seams
    labels: Labels
    phase: Codes
    """Marks phase spans."""
    lent: Int32s
    """By row: the call that this wait came before (`siblings.lend_waits`)."""
    peer: Int64s
    own_time: OwnTime | None = None
    """Waits that pass B found in spans' own time."""
    dialled: Mask | None = None
    """By call: pass B found that its checkout opened a connection."""

    def dialling(self, rows: Int64s) -> Mask:
        """Tell which of these rows, all lent, are checkouts that opened a connection."""
        if self.dialled is None:
            return np.zeros(rows.size, np.bool_)
        found: Mask = (self.forest.role[rows] == GETCONN) & self.dialled[self.lent[rows]]
        return found


def _keys(series: pl.Series) -> Int64s:
    """Return a number per text, equal for equal texts; `NONE` for null."""
    if series.null_count() == len(series):
        return np.full(len(series), NONE, np.int64)
    hashed = (series.cast(pl.String).hash(11).to_numpy() >> np.uint64(1)).astype(np.int64)
    return np.where(series.is_null().to_numpy(), NONE, hashed)


def _hosts(forest: Forest) -> Hosts:
    kind, role = forest.kind[: forest.unseen_from], forest.role[: forest.unseen_from]
    telling = np.flatnonzero((kind == CLIENT) | (kind == PRODUCER) | (role == FETCH) | (role == QUERY) | IS_PHASE[role])
    peer, system = np.full(forest.count, NONE, np.int64), np.full(forest.count, NONE, np.int64)
    hit = np.zeros(forest.count, np.uint8)
    peer[telling] = _keys(forest.spans.gather("peer", telling))
    system[telling] = _keys(forest.spans.gather("db_system", telling))
    fetches = telling[role[telling] == FETCH]
    hit[fetches] = (
        (forest.spans.gather("cache_status", fetches).cast(pl.String) == "hit").fill_null(value=False).to_numpy()
    )
    return Hosts(peer, system, hit)


def _find_calls(forest: Forest, hosts: Hosts) -> tuple[Calls, Int32s]:
    found = calling.find_calls(
        forest.order,
        forest.parent,
        forest.remote,
        forest.kind,
        forest.role,
        hosts.peer,
        hosts.system,
        hosts.hit,
        forest.fate,
    )
    calls = calling.Calls(*found)
    beside = siblings.beside_loose_phases(
        forest.parent, forest.remote, forest.role, calls.context, forest.start, forest.span_id
    )
    shared = (forest.order, forest.parent, forest.remote, forest.role, forest.start, forest.end)
    siblings.adopt_phases(*shared, hosts.peer, hosts.system, calls.count, calls.call_of, calls.context, *beside)
    answered = np.zeros(calls.count, np.uint8)
    answered[calls.server_of[calls.server_of >= 0]] = 1
    lent = siblings.lend_waits(*shared, hosts.peer, hosts.system, calls.call_of, calls.context, answered, *beside)
    return calls, lent


def _either(first: pl.Series, second: pl.Series) -> pl.Series:
    return first.zip_with(first.is_not_null(), second) if first.null_count() else first


def _callees(
    forest: Forest, rows: Int32s, others: tuple[Int32s, ...], rules: Rules, peers: Peers, parties: place.Parties
) -> Int32s:
    """Return the party that each of these client spans calls, by what they say; what they do not say, `others` do."""
    spans = forest.spans
    told = pl.DataFrame([spans.gather(name, rows).alias(name) for name in NAMING])
    for more in others:
        differs = more != rows
        if differs.any():
            again = pl.DataFrame([spans.gather(name, more).alias(name) for name in NAMING])
            told = pl.DataFrame([_either(told[name], again[name]) for name in NAMING])
    kind, role = forest.kind[rows], forest.role[rows]
    told = told.with_columns(is_data=pl.Series((kind == PRODUCER) | (role == QUERY)))
    number, first = number_pairs(np.zeros(rows.size, np.int64), told.hash_rows(5).to_numpy().view(np.int64).copy())
    numbers = [
        parties.number(*place.callee_party(place.Callee(*said), rules, peers, forest.resources.known))
        for said in told[first].with_columns(pl.col("peer_port").fill_null(0)).iter_rows()
    ]
    found: Int32s = np.array(numbers, np.int32)[number] if numbers else np.zeros(0, np.int32)
    return found


PEERS: Final = {
    "peer": pl.String,
    "port": pl.Int32,
    "tier": pl.UInt8,
    "service": pl.String,
    "hops": pl.UInt32,
    "trace_hi": pl.UInt64,
    "trace_lo": pl.UInt64,
}
"""Columns of the table of learned hosts: with how many calls showed it, and the trace of one of them."""


def learn_peers(
    forest: Forest, calls: Calls, first_server: Int32s, callee: Int32s, parties: place.Parties
) -> pl.DataFrame:
    """Return the hosts that calls with a server span went to, and which service answered there."""
    matched = np.flatnonzero((first_server >= 0) & (calls.headless == 0))
    named = calls.named[matched]
    told = pl.DataFrame(
        {
            "peer": forest.spans.gather("peer", named).cast(pl.String),
            "port": forest.spans.gather("peer_port", named).cast(pl.Int32).fill_null(0),
            "party": callee[matched],
            "trace_hi": forest.spans.gather("trace_hi", named),
            "trace_lo": forest.spans.gather("trace_lo", named),
        }
    )
    by_host = told.filter(pl.col("peer").is_not_null()).group_by("peer", "port", "party")
    counted = by_host.agg(pl.first("trace_hi", "trace_lo"), hops=pl.len())
    known = list(parties.numbers)
    party = [known[number] for number in counted.get_column("party").to_list()]
    named_peers = counted.with_columns(
        tier=pl.Series([tier for tier, _ in party], dtype=pl.UInt8),
        service=pl.Series([service for _, service in party], dtype=pl.String),
    )
    types = pl.Schema(PEERS)
    return named_peers.select(types.names()).cast(types).sort("peer", "port", "service", "tier")


def _loose(forest: Forest, calls: Calls) -> Int32s:
    """Return the phase spans outside any call that tell of a connection: they name a peer, or go out by their role."""
    phase = (IS_PHASE[forest.role] == 1) & (calls.context < 0) & (np.arange(forest.count) < forest.unseen_from)
    rows = np.flatnonzero(phase).astype(np.int32)
    outbound = (forest.role[rows] >= GETCONN) & (forest.role[rows] <= RECEIVE)
    said = forest.spans.gather("peer", rows).is_not_null() | forest.spans.gather("db_system", rows).is_not_null()
    loose: Int32s = rows[outbound | said.to_numpy()]
    return loose


def _seams(
    forest: Forest, calls: Calls, times: timing.Times, party: Int32s, parties: place.Parties, rules: Rules, peers: Peers
) -> Seams:
    first_server, servers = calling.first_servers(calls.server_of, times.start, forest.span_id, calls.count)
    callee = np.where(first_server >= 0, party[first_server], 0).astype(np.int32)
    silent = np.flatnonzero(first_server < 0)
    learned = learn_peers(forest, calls, first_server, callee, parties)
    known = peers.and_those(learned.select("peer", "port", "tier", "service").iter_rows())
    named, others = calls.named[silent], (calls.innermost[silent], calls.outer[silent])
    callee[silent] = _callees(forest, named, others, rules, known, parties)
    caller = party[calls.outer]
    loose = _loose(forest, calls)
    to = _callees(forest, loose, (), rules, known, parties)
    both = np.concatenate([caller, party[loose]]), np.concatenate([callee, to])
    seam, first = number_pairs(both[0].astype(np.int64), both[1].astype(np.int64))
    loose_seam = np.full(forest.count, NONE, np.int32)
    loose_seam[loose] = seam[calls.count :]
    tier = parties.tiers()[callee] if calls.count else np.empty(0, np.uint8)
    by_tier = np.full(8, words.code(words.CAUSES, "unobserved"), np.uint8)
    by_tier[place.DATA] = words.code(words.CAUSES, "query")
    by_tier[place.EXTERNAL] = words.code(words.CAUSES, "external_call")
    return Seams(
        caller=caller,
        callee=callee,
        seam=seam[: calls.count].copy(),
        loose=loose_seam,
        pairs=np.stack([both[0][first], both[1][first]], axis=1).astype(np.int32),
        otherwise=np.where(first_server >= 0, 0, by_tier[tier]).astype(np.uint8),
        first_server=first_server,
        servers=servers,
        learned=learned,
    )


def _columns(forest: Forest, calls: Calls) -> tuple[Int32s, Int64s]:
    """Return the phases that client spans carry themselves: by row a place in the table (-1: none), and the table."""
    spans = forest.spans
    place_of = np.full(forest.count, NONE, np.int32)
    telling = [name for name in COLUMN_PHASES if spans.has(name)]
    values = {name: spans.column(name, np.int64, NONE) for name in telling}
    told = np.zeros(spans.count, np.bool_)
    for column in values.values():
        told |= column >= 0
    rows = np.flatnonzero(told & (calls.call_of[: spans.count] >= 0))
    place_of[rows] = np.arange(rows.size)
    table = np.full((rows.size, len(COLUMN_PHASES)), NONE, np.int64)
    for name, column in values.items():
        table[:, COLUMN_PHASES.index(name)] = column[rows]
    return place_of, table


def _attempts(forest: Forest, calls: Calls, seams: Seams, party: Int32s) -> Codes:
    """Mark calls whose several servers were attempts: one service, one operation, each after the one before."""
    marks = np.zeros(calls.count, np.uint8)
    several = np.flatnonzero(seams.servers > 1)
    if not several.size:
        return marks
    rows = np.flatnonzero((calls.server_of >= 0) & np.isin(calls.server_of, several))
    told = pl.DataFrame(
        {
            "call": calls.server_of[rows],
            "party": party[rows],
            "start": forest.start[rows],
            "end": forest.end[rows],
            "operation": forest.spans.gather("operation", rows),
        }
    ).sort("call", "start")
    after = (pl.col("start").shift(-1) >= pl.col("end")).fill_null(value=True).over("call")
    alike = told.group_by("call").agg(
        same=(pl.col("party").n_unique() == 1) & (pl.col("operation").n_unique() == 1), after=after.all()
    )
    marks[alike.filter(pl.col("same") & pl.col("after")).get_column("call").to_numpy()] = 1
    return marks


def _labels(forest: Forest, calls: Calls, times: timing.Times, seams: Seams, phase: Codes, party: Int32s) -> Labels:
    members_from, members = witnesses.members_of(calls.call_of, calls.context, calls.server_of, phase, calls.count)
    column_of, table = _columns(forest, calls)
    queued = forest.padded(forest.spans.column("queued_at_ns", np.int64, -1), -1)
    if times.shift.any():
        queued = np.where(queued >= 0, extents.shifted(queued, times.shift), -1)
    reused = forest.padded(forest.spans.column("reused", np.uint8, words.UNKNOWN), words.UNKNOWN)
    cold = forest.padded(forest.spans.column("cold_start", np.uint8, 0), 0)
    again = attempts.given_up(forest, calls, seams, times.start, times.lifted)
    cut = phases.label_calls(
        calls.outer,
        calls.headless,
        np.where(again, RETRY, seams.otherwise).astype(np.uint8),
        _attempts(forest, calls, seams, party),
        members_from,
        members,
        calls.call_of,
        calls.server_of,
        forest.role,
        reused,
        times.start,
        times.lifted,
        queued,
        cold,
        column_of,
        table,
    )
    return Labels(members_from, members, *cut, again)


def begin(forest: Forest, rules: Rules) -> Ground:
    """Place every span and find every call."""
    resources = forest.resources
    ruled = [rules.service_tier(service) for service in resources.service]
    tier = place.place_spans(
        forest.order,
        forest.parent,
        forest.remote,
        forest.kind,
        forest.role,
        forest.resource,
        forest.hint,
        np.array([words.UNKNOWN if word is None else words.code(words.TIERS, word) for word in ruled], np.uint8),
        resources.tier,
    )
    parties = place.Parties.empty()
    party = parties.of_spans(tier, forest.resource, resources.service)
    hosts = _hosts(forest)
    calls, lent = _find_calls(forest, hosts)
    return Ground(forest, tier, party, parties, calls, lent, hosts.peer)


def follow(ground: Ground, rules: Rules, peers: Peers, clocks: Clocks | None = None) -> Journeys:
    """Put every span on its request's clock, say who is called, and cut every call into what happened in it."""
    forest, calls = ground.forest, ground.calls
    phase = IS_PHASE[forest.role]
    times = timing.measure(forest, calls, clocks)
    seams = _seams(forest, calls, times, ground.party, ground.parties, rules, peers)
    labels = _labels(forest, calls, times, seams, phase, ground.party)
    return Journeys(
        forest, ground.tier, ground.party, ground.parties, calls, times, seams, labels, phase, ground.lent, ground.peer
    )
