"""Telling of the times that a device claims, while they are waited for."""

from collections.abc import Callable

from flashdeck.job_state import TimeClaim

OnClaim = Callable[[TimeClaim], object]
"""Hears of each longer wait that a device claims, before it begins."""
TOLD_FROM = 0.5
"""Seconds of waiting for a claim from which on that is told: a person notices them."""


def tell_nobody(_: TimeClaim) -> None:
    """Take no notice of a claim that is waited for."""
