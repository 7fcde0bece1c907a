"""TOML that people write: a model says which keys there are, one reader and one writer go by it.

A table is a data class below `model.Table`. Each of its keys is written once, as a field: name, type, range, default
and description. `reader` makes such a table of a file and gathers all mistakes, `writer` writes it out again, and
`tools/schema` makes JSON Schemas for editors of it.
"""
