"""A rule: its name, its sentence, and what it looks at. A rule that is broken ends the seed, with its story."""

from typing import ClassVar

from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.seen import Ask, Disk, FlashChange, Opened, Seen, Setup, Spoken, Started


class BrokenRuleError(AssertionError):
    """A rule does not hold."""

    def __init__(self, rule: "Rule", what: str) -> None:
        super().__init__(f"rule {rule.name} is broken: {what}\n    {rule.sentence}")
        self.rule = rule.name
        self.what = what


class Rule:
    """One rule. It says what it looks at by overriding methods; what it does not override costs nothing."""

    name: ClassVar[str]
    """Its number in DESIGN, section 5, or a word."""
    sentence: ClassVar[str]
    """What it holds, in DESIGN's words."""

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        self.seen = seen
        self.attempts = attempts

    def broken(self, what: str) -> BrokenRuleError:
        """Return the error for what was seen."""
        return BrokenRuleError(self, what)

    def changed(self, change: FlashChange) -> None:
        """A flash has changed."""

    def opened(self, opened: Opened) -> None:
        """A device was opened for a lane."""

    def commanded(self, board: str) -> None:
        """A command is run, or a port touched, to bring a board into DFU mode."""

    def plugged(self) -> None:
        """A device has come, gone, or changed its mode."""

    def started(self, started: Started) -> None:
        """A device has left its bootloader."""

    def spoke(self, spoken: Spoken) -> None:
        """An application has started, and says something from now on; it is not on the bus yet."""

    def published(self, event: Event, before: JobState | None) -> None:
        """The daemon shows something new; `before` is what it showed of a job until now. `seen.shown` has it already.

        Of a job that an earlier life has shown, `before` is what that one showed last.
        """

    def asked(self, ask: Ask) -> None:
        """A client asks for something."""

    def answered(self, ask: Ask) -> None:
        """A client has its answer."""

    def took(self, before: Setup, after: Setup) -> None:
        """A configuration is in force; `seen.setup` is that after."""

    def began(self) -> None:
        """A life of the daemon has begun; it shows nothing yet."""

    def looked(self, disk: Disk) -> None:
        """The state directory, while nothing is written into it."""

    def spooled(self, name: str, *, is_kept: bool) -> None:
        """An image has come into the spool, or was removed from it."""

    def wrote(self, path: str, since: float) -> None:
        """A tool still has the file of a build open; since then it writes it, and the daemon was told of that."""

    def opened_path(self, path: str) -> None:
        """The daemon has opened a path."""

    def touched_real(self, what: str) -> None:
        """The daemon has reached for something of the real machine."""

    def seldom(self) -> None:
        """Now and then, at points that the seed chooses."""

    def rested(self) -> None:
        """The end: all has come to rest."""
