"""``engine doctor``: is everything as it should be? For people, and for monitoring.

Each thing that is looked at is a finding: fine, worth a look, or wrong. ``fix`` mends what can be
mended without a decision: leftovers of killed processes, and leases and records of processes that
are gone. Loads no numerical library.
"""

from engine.doctor.examination import examine
from engine.doctor.findings import Examination, Finding, Level

__all__ = ["Examination", "Finding", "Level", "examine"]
