"""`engine bench`: the benchmark commands."""
