"""A person who asks for something that can be done gets it."""

from typing import Final

from flashdeck.errors import ErrorKind
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Wish

SIMPLE: Final = frozenset({Wish.HOLD, Wish.RELEASE, Wish.ARM, Wish.DISARM})
"""Wishes that need nothing but the daemon and its disk."""
_MACHINES: Final = frozenset({ErrorKind.HOST.value, ErrorKind.OTHER.value})
"""Kinds of errors that say that the machine has failed."""
_OWN_FAULT: Final = frozenset({"no-such-board", "no-permission", "interrupted", "unreachable"})
"""Kinds of errors that are the asker's own affair, or the end of a daemon."""


class Answers(Rule):
    """Once all trouble is over, whatever is left of it keeps nobody from what can be done."""

    name = "answers"
    sentence = "A reply means done. At the end all faults stop."

    def answered(self, ask: Ask) -> None:
        """Judge what is refused in the calm, or because the disk fails that never has."""
        has_no_reason = ask.refused in _MACHINES and self.seen.disk_failed_at == float("-inf")
        is_wrong = has_no_reason or (self.seen.is_calm and ask.refused != "" and ask.refused not in _OWN_FAULT)
        if ask.wish in SIMPLE and is_wrong:
            raise self.broken(
                f"{ask.wish.value} of {ask.boards} is refused ({ask.refused}), though nothing fails any more"
            )
