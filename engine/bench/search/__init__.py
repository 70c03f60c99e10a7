"""Benchmarks of the search: closed loops, replays, the clock."""
