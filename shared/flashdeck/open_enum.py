"""Enums that may grow within one protocol: a client stands in `OTHER` for what only a newer daemon says."""

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A string enum whose member `OTHER` stands in for every value that this release does not know."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls["OTHER"] if isinstance(value, str) else None
