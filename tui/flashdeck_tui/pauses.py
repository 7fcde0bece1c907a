"""Pauses between tries to connect to a daemon, in seconds: each is twice as long as the one before."""

from typing import Final

FIRST_PAUSE: Final = 0.5
"""Seconds until the first try to connect again."""
LONGEST_PAUSE: Final = 5.0
"""Longest pause for a socket of this machine, which costs next to nothing to try."""
LONGEST_PAUSE_FAR: Final = 30.0
"""Longest pause for another machine, where each try is a login."""
