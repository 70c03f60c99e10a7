"""Runs: how they come in, what is recorded of them, what a model learns from them."""
