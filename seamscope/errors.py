"""What can go wrong, drawn once. `seamscope.cli.main` is the only place that turns these into words and exit codes.

SeamscopeError            exit 3, one line: what, where, and what to do
├── UsageError            exit 2: the command's words are off
├── StoreError            the store cannot be opened, read or written
│   ├── StoreLockedError  another process holds the file (its PID is named)
│   ├── StoreDamagedError its file or its log is damaged; salvage mends it
│   └── StoreVersionError written by a release this one does not know
├── DataError             a file or a body is not what it says it is
├── EndpointError         a port is taken, or nothing answers at an address
│   └── EndpointSilentError somebody listens at an address and does not answer in time
├── QueryError            a statement was refused or failed
│   └── QueryLaterError   the store could not answer it now: the same may succeed later
└── CheckFailed           exit 1: a check did not pass
"""

from __future__ import annotations


class SeamscopeError(Exception):
    """An error a person should read: what happened and where, and `hint`, what to do next."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        """Give the one line that people see."""
        message = super().__str__()
        return f"{message}; {self.hint}" if self.hint else message


class UsageError(SeamscopeError):
    """The command's words are off."""

    exit_code = 2


class StoreError(SeamscopeError):
    """The store cannot be opened, read or written."""


class StoreLockedError(StoreError):
    """Another process holds the store's file."""


class StoreDamagedError(StoreError):
    """The store's file or its log is damaged."""


class StoreVersionError(StoreError):
    """The store was written by a release that this one does not know."""


class DataError(SeamscopeError):
    """A file or a request body is not what it says it is."""


class EndpointError(SeamscopeError):
    """A port is taken, or nothing answers at an address."""


class EndpointSilentError(EndpointError):
    """Somebody listens at an address and does not answer in time."""


class QueryError(SeamscopeError):
    """A statement was refused or failed."""


class QueryLaterError(QueryError):
    """The store could not answer a statement now, for want of memory or while its file is opened anew."""


class CheckFailed(SeamscopeError):  # noqa: N818 - a verdict, not a fault
    """A check did not pass."""

    exit_code = 1
