"""Rule 2: never."""

from simulation.invariants.attempts import Attempt, Attempts
from simulation.invariants.memory import overlap
from simulation.invariants.rule import Rule
from simulation.seen import FlashChange, Seen, Setup

NEVER = ("Read Unprotect", "mass erase", "command ")
"""Words for requests that are never sent, as the emulated boards say them."""
UNTIL_SAFE = 12
"""Changes of a flash, at the most, until a job comes to a point at which it can stop."""


class Never(Rule):
    """What is protected stays, and some requests are never sent."""

    name = "2"
    sentence = (
        "A protected partition can not be a job's target, whatever a client asks. Mass erase, Read Unprotect and "
        "option bytes are never sent."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._running: dict[Attempt, int] = {}
        """What ran when the configuration changed last, and how often it has changed its flash since."""

    def took(self, before: Setup, after: Setup) -> None:
        """What runs may come to a safe point first."""
        self._running = {attempt: 0 for name in before.boards if (attempt := self.attempts.running(name)) is not None}

    def changed(self, change: FlashChange) -> None:
        """Judge what it hit."""
        if change.is_astray or not change.life:
            return
        attempt = self.attempts.of(change)
        if attempt is not None and attempt in self._running and not attempt.place.protected:
            self._running[attempt] += 1
            if self._running[attempt] <= UNTIL_SAFE:
                return
        products = tuple(self.seen.setup.products.values())
        if attempt is not None and change.life != self.seen.life:
            products = (attempt.named.product,)  # a device does later what a daemon has asked for that has ended since
        for product in products:
            if product.dfu_id != self.seen.devices[change.device].dfu_id:
                continue
            for place in product.places.values():
                if place.protected and overlap(change.span, place.span):
                    raise self.broken(
                        f"{change.device}: 0x{change.address:08x} {change.did.value} in {place.name}, a protected one"
                    )

    def opened(self, opened: object) -> None:
        """Look at what was sent since."""
        self.seldom()

    def seldom(self) -> None:
        """Look at what was sent."""
        for device in self.seen.devices.values():
            for request in device.wrong_requests:
                if any(word in request for word in NEVER):
                    raise self.broken(f"{device.name} was sent: {request}")
