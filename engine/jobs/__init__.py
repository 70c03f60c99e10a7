"""The scheduler: refreshes, reports, backups and pruning at their times, once each."""
