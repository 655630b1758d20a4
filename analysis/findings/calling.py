"""Rules about which calls a request makes, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.findings import advice, edge, serial
from analysis.findings.cases import FEWEST, Case, marks, places
from analysis.findings.evidence import SERVER
from analysis.findings.retiming import LEAD, WHOLE
from analysis.findings.seeking import turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.evidence import Evidence

MANY: Final = 5
"""The same call so often in one request is a loop around a call."""
SEEN: Final = 5
"""Times that an answer must be asked for, on average, to be asked for again and again."""
MOST_NAMED: Final = 4
"""Operations that one sentence names."""
SURVIVED: Final = 3
"""Failures of a call that a page has to survive before the page is taken not to need it."""

MOST_NAMES: Final = 2_000
"""Names of calls, the commonest, about which the operator's word is asked."""

_CONTROL: Final = r"(?i)^(begin|commit|rollback|savepoint|release|set|start|ping)\b"
_REPEATS: Final = ["request", "caller", "callee", "operation"]
_LOOP: Final = [*_REPEATS, "handler_row"]


def calling_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield what is wrong with the calls that requests make."""
    calls = evidence.awaited
    yield from _n_plus_one(calls)
    yield from _duplicates(calls)
    yield from _uncached(evidence, calls)
    yield from _nonessential(evidence, calls)
    yield from _retries(evidence, calls)


def _n_plus_one(calls: pl.DataFrame) -> Iterator[Case]:
    """The same statement or call once per element of a list."""
    loops = calls.filter(pl.len().over(_LOOP) >= MANY).sort("request", "start_ns")
    loops = loops.filter(
        ~pl.col("operation").fill_null("").str.contains(_CONTROL)
        & ~pl.col("target").fill_null("").str.contains(serial.PAGING)
    )
    # the same few resources in every request are a page's parts, not a list's elements
    kinds = pl.col("target").n_unique().over("callee", "operation")
    parts = pl.col("target").is_not_null() & (kinds <= pl.len().over(_LOOP))
    loops = loops.filter(~parts)
    for (route, seam, operation), some in places(loops, "route", "seam", "operation"):
        per = some.group_by("request", "handler_row").len().get_column("len").median()
        rest = some.filter(turns(some, ["request", "handler_row"]) > 0)
        yield Case(
            rule="n_plus_one",
            route=_text(route),
            seam=_text(seam),
            marks=marks(rest, WHOLE),
            message=(
                f"{some['caller'][0]} asks {some['callee'][0]} for {_text(operation)} some {_times(per)} times per "
                f"request: %requests%, %cost% each on average"
            ),
            next_step=advice.at_once(some, _text(operation) or "the same"),
            about=_text(operation) or "",
            fewest=1,
        )


def _duplicates(calls: pl.DataFrame) -> Iterator[Case]:
    """The same resource fetched twice for one request, by two tiers or by one."""
    reading = calls.filter(pl.col("target").is_not_null() & pl.col("method").fill_null("GET").is_in(["GET", "HEAD"]))
    key = ["request", "callee", "target"]
    several = reading.filter(pl.len().over(key) > 1).sort("request", "start_ns", maintain_order=True)
    again = several.with_columns(
        before=turns(several, key),
        failed=pl.col("error").fill_null(value=False).any().over(key),
        first=pl.col("caller").first().over(key),
    ).filter((pl.col("before") > 0) & ~pl.col("failed"))
    for (route, seam, operation), some in places(again, "route", "seam", "operation"):
        first, second = some["first"][0], some["caller"][0]
        who = f"{second} asks" if first == second else f"{first} and {second} both ask"
        yield Case(
            rule="duplicate_call",
            route=_text(route),
            seam=_text(seam),
            marks=marks(some, WHOLE),
            message=f"{who} {some['callee'][0]} for the same {_text(operation)}: %requests%, %cost% each on average",
            next_step=(
                f"Pass the answer on (a header, the request's context), or share it for the length of a request "
                f"(React's cache(), a request-scoped memo): {_text(operation)}"
            ),
            about=_text(operation) or "",
            fewest=1,
        )


def _uncached(evidence: Evidence, calls: pl.DataFrame) -> Iterator[Case]:
    """A render asks for public answers again and again; those of one page over one seam are one thing to do."""
    rendered = calls.filter(
        pl.col("caller").str.starts_with("render:")
        & pl.col("target").is_not_null()
        & pl.col("method").fill_null("GET").is_in(["GET"])
    )
    told = _scoped(evidence, rendered)
    missed = pl.col("cache_status").is_in(["miss", "skip"]) & (pl.col("cache_scope").fill_null("") != "personalised")
    public = pl.col("cache_status").is_null() & (pl.col("cache_scope") == "public")
    place = ("route", "seam", "operation")
    fetched = told.filter(missed | public).with_columns(answers=pl.col("target").n_unique().over(place))
    for (route, seam), some in places(fetched.filter(pl.len().over(place) >= SEEN * pl.col("answers")), *place[:2]):
        reasons = some.get_column("cache_reason").drop_nulls()
        why = f" ({reasons[0]})" if reasons.len() else ""
        yield Case(
            rule="uncached_fetch",
            route=_text(route),
            seam=_text(seam),
            marks=marks(some, WHOLE),
            message=(
                f"{some['caller'][0]} fetches {_operations(some)} anew each time{why}: {some.height} calls for "
                f"{some['target'].n_unique()} different answers; %requests%, %cost% each on average"
            ),
            next_step="fetch(url, { next: { revalidate: 60 } }), or 'use cache', for answers that are everybody's",
            confidence=0.8 if reasons.len() else 0.6,
            fewest=1,
        )


def _scoped(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Add whose the answers are (`cache_scope`): as the call's server says, else as all do that answer that address."""
    spans = evidence.spans.select("row", "kind", "method", "url_path", "cache_scope")
    own = spans.select(server_row="row", own_scope="cache_scope")
    address = ["method", "url_path"]
    said = spans.filter((pl.col("kind") == SERVER) & pl.col("cache_scope").is_not_null()).drop_nulls("url_path")
    alike = said.group_by(address).agg(pl.col("cache_scope").first(), n=pl.col("cache_scope").n_unique())
    return (
        calls.join(own, on="server_row", how="left", maintain_order="left")
        .with_columns(url_path="target_path")
        .join(alike.filter(pl.col("n") == 1).drop("n"), on=address, how="left", maintain_order="left")
        .with_columns(cache_scope=pl.coalesce("own_scope", pl.when(pl.col("server_row") < 0).then("cache_scope")))
    )


def _operations(some: pl.DataFrame) -> str:
    """Name the commonest operations, the first few."""
    names = some.get_column("operation").drop_nulls().value_counts(sort=True, name="n")
    told = names.sort("n", "operation", descending=[True, False]).get_column("operation").head(MOST_NAMED).to_list()
    return ", ".join(str(name) for name in told) or "what everybody gets"


def _nonessential(evidence: Evidence, calls: pl.DataFrame) -> Iterator[Case]:
    """The first byte waits for a call that the page can live without."""
    place = ["route", "seam", "operation"]
    survived = _survived(evidence, calls)
    told = _ruled(evidence, calls)
    maybe = told.filter("dispensable").select(place).unique()
    maybe = pl.concat([maybe, survived.filter(pl.col("survived") >= SURVIVED).select(place)]).unique()
    if not maybe.height:
        return
    told = told.join(maybe, on=place, how="semi", nulls_equal=True, maintain_order="left")
    told = told.join(survived, on=place, how="left", nulls_equal=True, maintain_order="left")
    told = told.join(edge.flag_calls(evidence), on="row", how="anti", maintain_order="left")
    told = told.filter(pl.col("dispensable").any().over(place) | (pl.col("survived") >= SURVIVED))
    told = told.join(_streamed(evidence, told), on="row", how="anti", maintain_order="left")
    for (route, seam, operation), some in places(told, *place):
        by_word = some.filter("dispensable")
        failures = some["survived"][0]
        why = (
            "is declared nonessential"
            if by_word.height
            else f"failed {failures} times and the page was answered all the same"
        )
        yield Case(
            rule="nonessential_block",
            route=_text(route),
            seam=_text(seam),
            marks=marks(by_word if by_word.height else some, WHOLE),
            message=(
                f"{_text(route)} waits for {_text(operation)} of {some['callee'][0]}, which {why}: %requests%, %cost% "
                f"each on average"
            ),
            next_step=advice.nonessential(some),
            confidence=0.95 if by_word.height else 0.7,
            about=_text(operation) or "",
            fewest=1 if by_word.height else FEWEST,
            first_horizon=True,
        )


def _ruled(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Say which calls somebody declared nonessential (`dispensable`): their spans, else the operator."""
    name = ["peer", "callee", "operation"]
    names = calls.group_by(name).agg(n=pl.len())
    names = names.sort("n", "callee", "operation", "peer", descending=[True, False, False, False]).head(MOST_NAMES)
    said = [
        evidence.essential(row["peer"], (row["callee"] or "").partition(":")[2], row["operation"])
        for row in names.iter_rows(named=True)
    ]
    ruled = names.select(*name, ruled=pl.Series(said, dtype=pl.Boolean)).drop_nulls("ruled")
    told = calls.with_columns(ruled=pl.lit(None, pl.Boolean))
    if ruled.height:
        told = calls.join(ruled, on=name, how="left", nulls_equal=True, maintain_order="left")
    dispensable = pl.coalesce("essential", "ruled") == False  # noqa: E712 - null is neither
    return told.with_columns(dispensable=dispensable.fill_null(value=False))


def _streamed(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Give calls of the page's own process that were still open at its first byte: they did not hold it (`row`)."""
    page = evidence.requests.drop_nulls("shell_ns").select(
        "request", "service", shell=pl.col("start_ns") + pl.col("shell_ns")
    )
    told = calls.join(page, on="request").filter(pl.col("end_ns") > pl.col("shell"))
    return told.filter(pl.col("caller").str.replace("^[a-z]+:", "") == pl.col("service")).select("row")


def _survived(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Count failed calls, made once, of requests that were answered well: `survived`."""
    fine = evidence.requests.filter(pl.col("status").is_between(200, 399)).select("request")
    failed = calls.filter(pl.col("error").fill_null(value=False))
    failed = calls.join(failed.select("request").unique(), on="request", how="semi").filter(
        (pl.len().over(_REPEATS) == 1) & pl.col("error").fill_null(value=False)
    )
    return failed.join(fine, on="request", how="semi").group_by("route", "seam", "operation").agg(survived=pl.len())


def _retries(evidence: Evidence, calls: pl.DataFrame) -> Iterator[Case]:
    """Calls made again after they failed; and retries around retries."""
    key = ["request", "parent_row", "callee", "operation", "target"]
    lost = evidence.path.filter((pl.col("cause") == "retry") & (pl.col("row") >= 0)).get_column("row").implode()
    given_up = pl.col("row").is_in(lost) | pl.col("inner_row").is_in(lost)
    failed = pl.col("error").fill_null(value=False) | given_up
    inside = (pl.col("attempts").fill_null(1) > 1) | (pl.col("retry_ns").fill_null(0) > 0)
    some = calls.filter(failed | inside).select("request").unique()
    ordered = calls.join(some, on="request", how="semi", maintain_order="left")
    ordered = ordered.sort("request", "start_ns", maintain_order=True)
    ordered = ordered.with_columns(followed=~pl.struct(key).is_last_distinct())
    repeated = failed & pl.col("followed") & (pl.col("parent_row") >= 0)
    for (seam,), some in places(ordered.filter(repeated | inside), "seam"):
        whole = marks(some.filter(repeated), WHOLE)
        lead = marks(some.filter(inside & ~repeated), LEAD, pl.col("retry_ns").fill_null(0))
        most = some.get_column("attempts").max()
        yield Case(
            rule="retry_storm",
            route=None,
            seam=_text(seam),
            marks=pl.concat([whole, lead]),
            message=(
                f"{some['caller'][0]} calls {some['callee'][0]} again after it failed (up to {max(_int(most), 2)} "
                f"times): %requests%, %cost% each on average"
            ),
            next_step=advice.retries(some),
        )
    yield from _stacked(ordered.filter(repeated | inside))


def _stacked(retried: pl.DataFrame) -> Iterator[Case]:
    """Retries of a call inside retries of the call above it: they multiply."""
    inner = retried.select("request", "caller", inner_row="row", inner="seam").unique(
        ["request", "caller"], keep="first", maintain_order=True
    )
    pairs = retried.join(inner, left_on=["request", "callee"], right_on=["request", "caller"])
    for (seam, below), some in places(pairs, "seam", "inner"):
        yield Case(
            rule="stacked_retries",
            route=None,
            seam=_text(seam),
            marks=pl.concat([marks(some, 0), marks(some.select("request", row="inner_row"), LEAD)]),
            message=f"Retries around retries: {seam} tries again, and so does {below} inside it: %requests%",
            next_step=f"Retry at one level only, the one nearest the failure ({below}), and give the other a budget",
            material=False,
            about=_text(below) or "",
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _times(median: object) -> str:
    return f"{median:.0f}" if isinstance(median, int | float) else "many"


def _int(value: object) -> int:
    return int(value) if isinstance(value, int) else 0
