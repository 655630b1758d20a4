"""The window: the explorer. Draws results, computes nothing."""
