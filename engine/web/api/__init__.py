"""The REST API: `/api/v1`, the same functions as the pages and the command line."""
