"""The truth: rows, sessions and repositories. Plain frozen records out; no torch, no pandas."""
