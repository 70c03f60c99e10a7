"""Benchmarks: is a strategy, a model, a picture worth its time? Judged where the truth is known.

harness   labs, tasks, the pool of processes, stored results, intervals, plots: the ground floor
models    models on held-out runs, what sources and refreshes bring
search    closed loops on a lab, replays of a table, the clock
pictures  the generator, measurements of micrographs, retrieval

``engine bench`` has the four commands that a lab compares with; the studies are modules here, run
as ``python -m engine.bench.ablation`` and so on.
"""
