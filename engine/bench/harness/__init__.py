"""The harness of the benchmarks: labs, tasks, the pool of processes, result files, plots."""
