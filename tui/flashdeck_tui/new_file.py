"""A new file with text that a person wants kept. What is there already is never written over."""

from pathlib import Path

from flashdeck.errors import RequestError
from flashdeck.paths import absolute


def write_new(name: str, text: str) -> Path:
    """Write a file that is not there yet, and return its path; raises RequestError. Blocks."""
    path = absolute(name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror}", hint="name a file that is new") from error
    return path
