"""Questions in threads: an error becomes a message, never the end of the explorer; and what an empty list says."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from seamscope.errors import SeamscopeError
from tui.messages import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.message_pump import MessagePump

    from seamscope.results import RequestRow, Selection


@contextmanager
def answered(asker: MessagePump, asked: str) -> Iterator[None]:
    """Run a question; where it fails, post `Failed` to the asker instead of raising."""
    try:
        yield
    except SeamscopeError as error:
        asker.post_message(Failed(asked, str(error.args[0]), error.hint))
    except Exception as error:  # noqa: BLE001 - whatever a door raises, the screen stays up and says so
        asker.post_message(Failed(asked, f"{type(error).__name__}: {error}", ""))


def nothing(selection: Selection, *, other: bool) -> tuple[str, ...]:
    """Give the words for a list without rows, and what to do next."""
    if selection.filter or selection.since or selection.until:
        return (
            "No request matches",
            "/ changes the filter, esc clears it" + ("" if other else "; a also shows module loads and the like"),
        )
    return (
        "No requests yet",
        "Requests appear some seconds after their last span arrived. To bring some in:",
        "  seamscope collect        receives OTLP on 127.0.0.1:4317 (gRPC) and :4318 (HTTP)",
        "  seamscope import FILE    reads OTLP, Jaeger or Zipkin files",
    )


def with_head(rows: Sequence[RequestRow], head: Sequence[RequestRow], *, whole: bool) -> list[RequestRow] | None:
    """Put a fresh head of the list in place of the old one; None where a hole would gape between them.

    `whole` says that the head is all there is. Rows that the head no longer has are gone: swallowed or revised away.
    """
    if whole or not rows:
        return list(head)
    last = head[-1].request_id
    at = next((place for place, row in enumerate(rows) if row.request_id == last), None)
    fresh = {row.request_id for row in head}
    if at is None:
        return None
    return [*head, *(row for row in rows[at + 1 :] if row.request_id not in fresh)]
