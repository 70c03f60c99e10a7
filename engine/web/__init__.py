"""The page at the bench and the API: the command line's functions, in the browser."""
