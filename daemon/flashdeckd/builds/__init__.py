"""Build output: when a file counts as written, and what became of it."""
