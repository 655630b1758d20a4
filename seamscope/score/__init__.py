"""Accuracy against recorded truth: pure arithmetic over frames. Reading files and running the analysis is not here."""
