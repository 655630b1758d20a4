"""Measurements; memory is kept as the command line keeps it (`seamscope.allocators`)."""

from seamscope.allocators import keep_freed

keep_freed()
