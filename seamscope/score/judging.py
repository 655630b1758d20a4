"""One scenario judged: per request of the truth, what was answered, whether it is right, and what was made up.

Frames in, frames out; `no` numbers the requests of the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from seamscope.score.owners import standing

if TYPE_CHECKING:
    from seamscope.score.truth import Truth

FALSE_NS: Final = 10_000_000
FALSE_SHARE: Final = 0.05
"""A false cause is at least so long, and at least so great a part of its horizon."""

OPENING: Final = ("dns", "connect", "tls")
"""What `setup` may stand for where no span tells them apart."""

SUMS: Final = {"no": pl.UInt32, "owner": pl.String, "cause": pl.String, "evidence": pl.String, "ns": pl.Int64}
"""An answer: time per owner, cause and evidence, of the horizon that the truth was measured to."""


def match(truth: Truth, candidates: pl.DataFrame) -> pl.DataFrame:
    """Find the request that each request of the truth is: columns `no`, `request_id`.

    Args:
        truth: the scenario's answers.
        candidates: a row per request and trace that it is spread over: `request_id`, `trace_id`, `entry_span_id`,
            `service`, `kind`, `start_ns`.

    Of several requests in its traces, the one of its entry span; else of its entry's service, else the first to
    begin. No two requests of the truth are the same one: the later has no match then.
    """
    told = truth.requests.select("no", "horizon", entry_service="service", entry="entry_span_id")
    pairs = truth.traces.join(candidates, on="trace_id").join(told, on="no")
    ranked = pairs.sort(
        "no",
        pl.col("entry_span_id").eq_missing(pl.col("entry")),
        pl.col("service").eq_missing(pl.col("entry_service")),
        pl.col("kind").is_in(["other", "job"]).not_(),
        pl.col("start_ns").neg(),
        "request_id",
        descending=[False, True, True, True, True, False],
    )
    best = ranked.unique("no", keep="first", maintain_order=True)
    best = best.unique(["request_id", "horizon"], keep="first", maintain_order=True)
    return best.select("no", "request_id")


def judge(truth: Truth, matched: pl.DataFrame, sums: pl.DataFrame, horizons: pl.DataFrame) -> pl.DataFrame:
    """Judge a scenario's answers: a row per request of the truth.

    Args:
        truth: the scenario's answers.
        matched: column `no`: the requests that were found.
        sums: what was answered, columns `SUMS`.
        horizons: `no`, `horizon_ns`: how long each answered horizon is.

    Returns:
        `no`, `key`, `matched`, `judged` (a cause leads there), `answer_owner`, `answer_cause`, `answered`,
        `tier_right`, `cause_right`, `injected_ns`, `attributed_ns`, `error_ns` (null where not judged), `false_cause`.
    """
    blind = truth.variant == "blind"
    top = _top(sums)
    rows = (
        truth.requests.select("no", "key", "owner", "cause")
        .join(matched.select("no", matched=pl.lit(value=True)), on="no", how="left")
        .join(top, on="no", how="left")
        .join(_injected(truth, blind=blind), on="no", how="left")
        .join(_attributed(truth, sums, blind=blind), on="no", how="left")
        .join(_false(truth, sums, horizons, blind=blind), on="no", how="left")
        .sort("no")
    )
    judged = pl.col("owner").is_not_null()
    rows = rows.with_columns(
        pl.col("matched", "false_cause").fill_null(value=False),
        pl.col("injected_ns", "attributed_ns").fill_null(0),
        judged=judged,
        answered=_answered(),
        tier_right=(standing(pl.col("answer_owner")) == standing(pl.col("owner"))).fill_null(value=False),
        cause_right=_right(pl.col("answer_cause"), pl.col("cause"), blind=blind).fill_null(value=False),
    )
    return rows.with_columns(
        error_ns=pl.when("judged").then((pl.col("attributed_ns") - pl.col("injected_ns")).abs())
    ).drop("owner", "cause")


def _answered() -> pl.Expr:
    """Tell what counts as an answer: no `unexplained`; `unobserved` only where a server span was lost."""
    lost = (pl.col("answer_cause") == "unobserved") & (pl.col("cause") != "unobserved")
    return ((pl.col("answer_cause") != "unexplained") & ~lost).fill_null(value=False)


def _right(answer: pl.Expr, cause: pl.Expr, *, blind: bool) -> pl.Expr:
    """Tell whether a cause is the one: without phase spans `setup` is right for what it may stand for."""
    same = answer == cause
    return same | ((answer == "setup") & cause.is_in(OPENING)) if blind else same


def _top(sums: pl.DataFrame) -> pl.DataFrame:
    """Give owner and cause with the largest sum per request."""
    whole = sums.group_by("no", "owner", "cause").agg(pl.col("ns").sum())
    first = whole.sort("no", "ns", "owner", "cause", descending=[False, True, False, False]).unique(
        "no", keep="first", maintain_order=True
    )
    return first.select("no", answer_owner="owner", answer_cause="cause")


def _leading(truth: Truth) -> pl.DataFrame:
    return truth.requests.drop_nulls("owner").select("no", lead_owner="owner", lead_cause="cause")


def _group(cause: pl.Expr, *, blind: bool) -> pl.Expr:
    """Put causes together that a blind recording cannot tell apart."""
    return pl.when(cause.is_in(OPENING)).then(pl.lit("setup")).otherwise(cause) if blind else cause


def _injected(truth: Truth, *, blind: bool) -> pl.DataFrame:
    """Give what the second instrument measured of the leading cause."""
    return _of_the_leading(truth, truth.measured, "injected_ns", blind=blind)


def _attributed(truth: Truth, sums: pl.DataFrame, *, blind: bool) -> pl.DataFrame:
    """Give what was answered of the leading cause at its owner."""
    return _of_the_leading(truth, sums, "attributed_ns", blind=blind)


def _of_the_leading(truth: Truth, parts: pl.DataFrame, name: str, *, blind: bool) -> pl.DataFrame:
    fits = (pl.col("owner") == pl.col("lead_owner")) & (
        _group(pl.col("cause"), blind=blind) == _group(pl.col("lead_cause"), blind=blind)
    )
    return parts.join(_leading(truth), on="no").filter(fits).group_by("no").agg(pl.col("ns").sum().alias(name))


def _false(truth: Truth, sums: pl.DataFrame, horizons: pl.DataFrame, *, blind: bool) -> pl.DataFrame:
    """Mark requests with an inferred cause that the second instrument did not see, or not to that length."""
    key = ["no", "standing", "group"]
    grouped = [standing(pl.col("owner")).alias("standing"), _group(pl.col("cause"), blind=blind).alias("group")]
    told = pl.col("evidence") == "inferred"
    claimed = sums.filter(told).with_columns(grouped).group_by(key).agg(pl.col("ns").sum())
    seen = truth.measured.with_columns(grouped).group_by(key).agg(seen_ns=pl.col("ns").sum())
    anywhere = seen.filter(pl.col("standing").is_null()).select("no", "group", anywhere_ns="seen_ns")
    excess = pl.col("ns") - pl.col("seen_ns").fill_null(0) - pl.col("anywhere_ns").fill_null(0)
    much = pl.max_horizontal(pl.lit(FALSE_NS), pl.col("horizon_ns") * FALSE_SHARE)
    both = claimed.join(seen, on=key, how="left").join(anywhere, on=["no", "group"], how="left")
    odd = both.join(horizons, on="no").filter(excess >= much)
    return odd.select("no").unique().with_columns(false_cause=pl.lit(value=True))


def judge_findings(truth: Truth, emitted: pl.DataFrame) -> pl.DataFrame:
    """Compare findings with the truth: a row per request and rule with `verdict`.

    Findings are a request's, whatever horizon they hold: entries of one key are one here, and what one of them expects
    is expected. `emitted` has `no` and `rule`. Verdicts: `right`, `missed` (expected, not there), `forbidden` (said
    not to be a finding), `unlisted` (the truth does not know it), `possible` (given, and true of the request, but
    what it costs is little or was not measured: neither right nor wrong).
    """
    whose = truth.requests.select("no", one=pl.col("no").first().over("key"))
    given = emitted.join(whose, on="no").select("rule", no="one", given=pl.lit(value=True)).unique()
    told = (
        truth.rules.join(whose, on="no")
        .group_by("rule", no="one")
        .agg(pl.col("expected").any(), possible=pl.col("expected").is_null().any())
    )
    both = told.join(given, on=["no", "rule"], how="full", coalesce=True)
    there, expected = pl.col("given").fill_null(value=False), pl.col("expected")
    verdict = (
        pl.when(there & expected.is_null())
        .then(pl.lit("unlisted"))
        .when(there & expected)
        .then(pl.lit("right"))
        .when(there & pl.col("possible"))
        .then(pl.lit("possible"))
        .when(there)
        .then(pl.lit("forbidden"))
        .when(expected)
        .then(pl.lit("missed"))
    )
    return both.select("no", "rule", verdict=verdict).drop_nulls("verdict").sort("no", "rule")


def chance(truth: Truth, sums: pl.DataFrame) -> pl.DataFrame:
    """Give what guessing would get: per judged request `tier` and `cause`, the probability of being right.

    One guesses evenly among the tiers, and evenly among the (owner, cause) pairs, that the scenario shows.
    """
    blind = truth.variant == "blind"
    pairs = pl.concat([part.select("owner", "cause") for part in (truth.measured, sums)]).unique()
    tiers = pairs.select(standing(pl.col("owner")).n_unique()).item()
    leads = truth.requests.drop_nulls("owner").select("no", lead="cause")
    right = _right(pl.col("cause"), pl.col("lead"), blind=blind)
    return (
        leads.join(pairs, how="cross")
        .group_by("no")
        .agg(cause=right.mean())
        .with_columns(tier=pl.lit(1 / max(tiers, 1)))
    )
