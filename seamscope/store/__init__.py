"""The store: spans, results and what is read from them, in one DuckDB file. The only room that knows DuckDB.

One process writes (`Store.open`); every other reads through it, or opens the file when nobody writes
(`open_file`). `seamscope.remote.open_store` finds out which.
"""

from seamscope.store.file import Store
from seamscope.store.opened import StoreFile
from seamscope.store.reading import Guest, Reader
from seamscope.store.receipts import CommitReceipt
from seamscope.store.settings import Settings

__all__ = ["CommitReceipt", "Guest", "Reader", "Settings", "Store", "StoreFile"]
