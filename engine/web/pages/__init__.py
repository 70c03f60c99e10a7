"""The pages: each route reads, calls an engine function, and fills a template."""
