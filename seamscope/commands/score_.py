"""`seamscope score`: accuracy against recorded truth."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seamscope.commands.options import config_option, json_option, operators_rules
from seamscope.errors import DataError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from seamscope.config import Config
    from seamscope.score.savings import Saving
    from seamscope.score.summary import Verdict
    from seamscope.score.truth import Truth
    from seamscope.store import Reader, Store

RECORDING: Final = "traces.otlp.pb.zst"
ANSWERS: Final = "expected.json"
_FORM: Final = f"a scenario is a folder with {RECORDING} and {ANSWERS}"


def _scenarios(folder: Path) -> list[tuple[Path, Truth]]:
    """Find the scenarios of a folder (or the one it is) and read their truths, before any work is done."""
    from seamscope.score.truth import read_truth

    inside = sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    found = [one for one in (folder, *inside) if (one / RECORDING).exists() or (one / ANSWERS).exists()]
    if not found:
        raise DataError(f"no scenario in {folder}", _FORM)
    return [(_whole(one), read_truth(_read(one / ANSWERS), str(one / ANSWERS))) for one in found]


def _whole(scenario: Path) -> Path:
    for name in (RECORDING, ANSWERS):
        if not (scenario / name).is_file():
            raise DataError(f"{scenario / name} is missing", _FORM)
    return scenario


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}:{line}: not UTF-8 text") from error
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error


def _judged(scenario: Path, truth: Truth, config: Config) -> Verdict:
    """Import one scenario into a fresh store, analyse it, and compare."""
    from seamscope import runs
    from seamscope.store import Store

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="seamscope-score-"))
        store = stack.enter_context(Store.open(Path(folder) / "score.duckdb", service_tier=config.service_tier))
        _bring(scenario / RECORDING, store, config)
        runs.analyze(store, rules=config)
        return _verdict(store, truth, config)


def _bring(recording: Path, store: Store, config: Config) -> None:
    from collector.importing import StoreSink, import_files

    errors: list[DataError] = []
    tally = import_files([recording], StoreSink(store, config.rules), lambda _: None, errors.append)
    if errors:
        raise errors[0]
    if tally.unreadable or not tally.items:
        raise DataError(f"{recording}: {tally.unreadable} of its {tally.requests} bodies cannot be read")


def _verdict(reader: Reader, truth: Truth, config: Config) -> Verdict:
    import polars as pl

    from seamscope.score import judging, naive
    from seamscope.score.summary import Verdict
    from seamscope.statements import statement

    candidates = reader.query(statement("score/candidates"))
    matched = judging.match(truth, candidates)
    sums, horizons = _answers(reader, truth, matched, candidates)
    spans = reader.query(statement("score/spans", columns=", ".join(naive.SPANS)))
    baseline = naive.naive_sums(spans, truth.traces)
    everything = truth.requests.select("no")
    nothing = pl.DataFrame(schema={"no": pl.UInt32, "horizon_ns": pl.Int64})
    emitted = reader.query(statement("score/findings")).join(matched, on="request_id").select("no", "rule")
    return Verdict(
        truth=truth,
        stored=candidates.get_column("request_id").n_unique(),
        conservation_violations=int(reader.query(statement("score/violations")).item()),
        ours=judging.judge(truth, matched, sums, horizons),
        naive=judging.judge(truth, everything, baseline, nothing),
        findings=judging.judge_findings(truth, emitted),
        guess=judging.chance(truth, sums),
        savings=_savings(reader, truth, matched, config),
    )


def _savings(reader: Reader, truth: Truth, matched: pl.DataFrame, config: Config) -> tuple[Saving, ...]:
    """Foretell each saving that was measured, on the same requests."""
    from seamscope.score.savings import Saving

    found = []
    for one in truth.savings.iter_rows(named=True):
        own = matched.filter(matched.get_column("no").is_in(one["nos"])).get_column("request_id").to_list()
        foretold = _foretold(reader, one["rule"], one["horizon"], own, config) if own else None
        who = (truth.scenario, truth.variant, one["rule"], one["horizon"], len(one["nos"]), len(own))
        found.append(Saving(*who, foretold, one["ns"], one["error_ns"]))
    return tuple(found)


def _foretold(reader: Reader, rule: str, horizon: str, requests: Sequence[str], config: Config) -> int | None:
    from seamscope.reading.whatif import Change, what_if

    told = what_if(reader, Change((f"rule:{rule}",)), among=requests, essential=config.is_essential)
    return next((one.saving_ns for one in told.outcomes if one.horizon == horizon), None)


def _answers(
    reader: Reader, truth: Truth, matched: pl.DataFrame, candidates: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give sums and length of the horizon that each request's truth was measured to."""
    import polars as pl

    from seamscope.score.judging import SUMS
    from seamscope.statements import statement

    wanted = matched.join(truth.requests.select("no", "horizon"), on="no")
    sums = reader.query(statement("score/sums")).join(wanted, on=["request_id", "horizon"]).select(*SUMS)
    whole = pl.when(pl.col("horizon") == "shell").then("shell_ns").otherwise("complete_ns")
    lengths = candidates.unique("request_id").select("request_id", "shell_ns", "complete_ns")
    return sums, wanted.join(lengths, on="request_id").select("no", horizon_ns=whole)


@click.command("score", epilog="Example: seamscope score sample_traces --json")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@config_option()
@json_option()
def command(folder: Path, config: Path, *, as_json: bool) -> None:
    """Accuracy against recorded truth: tier, cause, error and findings, beside a naive baseline and chance.

    DIR holds scenarios, or is one: traces.otlp.pb.zst with its expected.json. Each is imported into a fresh store,
    analysed, and compared; healthy controls are there for what must not be said. Rates come with 95 % intervals. Where
    a stopwatch measured the same page mended, the saving that was foretold stands beside it.
    """
    from seamscope.score.summary import score

    found, rules = _scenarios(folder), operators_rules(config)
    verdicts = []
    for number, (scenario, truth) in enumerate(found, start=1):
        click.echo(f"{number} of {len(found)}: {safe(scenario.name)}", err=True)
        verdicts.append(_judged(scenario, truth, rules))
    result = score(verdicts)
    if as_json:
        from seamscope.score.documents import score_document
        from seamscope.text.json_forms import written

        click.echo(written(score_document(result)), nl=False)
    else:
        from seamscope.text.paper import stdout_paper
        from seamscope.text.score_text import score_text

        click.echo(score_text(result, stdout_paper()), nl=False)
