"""Rule 13: no door is wider than the socket."""

from simulation.invariants.rule import Rule
from simulation.seen import CHANGING_WISHES, Ask, Wish


class Doors(Rule):
    """A connection that may only look changes nothing."""

    name = "13"
    sentence = (
        "Whatever else listens or speaks for a client asks for as much as the socket's uid check does, and can be made "
        "read-only in the daemon, not in the client."
    )

    def answered(self, ask: Ask) -> None:
        """Judge what a client that may only look was answered."""
        if ask.is_read_only and ask.wish in CHANGING_WISHES and not ask.refused:
            raise self.broken(f"{ask.client} may only look, and its {ask.wish.value} of {ask.boards} was done")
        if ask.wish is Wish.USE_ENDED and not ask.refused:
            raise self.broken(f"{ask.client} acts for a lease that is over")
