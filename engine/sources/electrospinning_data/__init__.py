"""Electrospinning-Data.org: records as a source, and runs of a campaign for submission."""
