"""Model versions and their files: what was trained, what serves, what served before."""
