"""The lines in which `flashdeckd follow FILE` hands on the builds of a file, in JSON, and the answer to each build.

It hands on a build once it is whole, and looks for the next when that one is taken: what was built meanwhile but for
the newest is never sent. Each kind of line is told by its `line`.
"""

from flashdeck.value import Value


class BuildBegins(Value, frozen=True, kw_only=True, tag="build", tag_field="line"):
    """A build that is whole; its bytes follow in pieces."""

    path: str
    size: int
    first: bool = False
    """True if the file was there already, in this very state, when it was first looked for."""
    age: float = 0.0
    """Seconds since the file was last changed."""


class BuildPiece(Value, frozen=True, kw_only=True, tag="piece", tag_field="line"):
    """The next bytes of the build that has begun, at most `flashdeck.api.CHUNK`."""

    data: bytes


class FileNote(Value, frozen=True, kw_only=True, tag="note", tag_field="line"):
    """A thing that a person should know, as why the file cannot be read."""

    text: str
    hint: str = ""


FollowLine = BuildBegins | BuildPiece | FileNote

TAKEN = b"taken\n"
"""The answer once a build was brought to where it belongs: on stdin, whose end is the end of the process."""
