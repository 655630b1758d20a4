"""Seamscope: which tier, and which part of the seam between tiers, made this request slow."""

__version__ = "0.1.0"
