"""The base of everything that travels over the socket or is kept in the journal."""

import msgspec


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable value; fields that hold their default are not written, and unknown ones are ignored when read."""
