"""Benchmarks of models: how well held-out runs are predicted, and what sources are worth."""
