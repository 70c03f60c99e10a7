"""The server's other processes: whatever needs torch runs there, beside the page."""
