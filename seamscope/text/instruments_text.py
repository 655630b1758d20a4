"""What instruments said of a request's waits, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.palette import cause_hex
from seamscope.text.figures import duration
from seamscope.text.paper import line, name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from seamscope.results import Testimony

VERDICTS: Final = {"confirms": "confirmed", "contradicts": "contradicted", "says": "beside it"}
_STYLES: Final = {"confirms": "green", "contradicts": "yellow"}


def testimony_lines(testimonies: Sequence[Testimony]) -> list[Text]:
    """Draw a line per testimony: the wait, the verdict, and what the instrument said."""
    return [
        line(
            ("◈ ", "dim"),
            (told.cause, cause_hex(told.cause)),
            f" {duration(told.ns)} in ",
            name(told.operation or f"call {told.client_span_id}"),
            " ",
            (VERDICTS[told.verdict], _STYLES.get(told.verdict, "dim")),
            f" by {told.instrument}",
            name(f" of {told.pool}" if told.pool else ""),
            ": ",
            told.sentence,
        )
        for told in testimonies
    ]
