"""Pieces of TOML, written."""

import json


def quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, except that TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def header(*path: str) -> str:
    """The header of a table; a bare key may not have a dot in it, and a name may."""
    return f"[{'.'.join(quoted(part) if '.' in part else part for part in path)}]"
