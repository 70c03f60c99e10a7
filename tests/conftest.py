"""Hypothesis draws the same cases at each run of continuous integration, others at the bench."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
