"""The command line: each command parses, calls one engine function, prints."""
