"""The one function of invariants: it hears of each step of the world, and holds every rule against it."""

from collections.abc import Callable, Mapping
from typing import Final

from flashdeck.model import Event, JobState
from simulation.invariants.answers import Answers
from simulation.invariants.armed_once import ArmedOnce
from simulation.invariants.asked_for import AskedFor
from simulation.invariants.attempts import Attempts
from simulation.invariants.back_by_itself import BackByItself
from simulation.invariants.belongs_there import BelongsThere
from simulation.invariants.bounds import Bounds
from simulation.invariants.canaries import Canaries
from simulation.invariants.changed_files import ChangedFiles, renamed
from simulation.invariants.doors import Doors
from simulation.invariants.goes_on import GoesOn
from simulation.invariants.half_images import HalfImages
from simulation.invariants.histories import Histories
from simulation.invariants.holds import Holds
from simulation.invariants.included_files import IncludedFiles
from simulation.invariants.leases import Leases
from simulation.invariants.never import Never
from simulation.invariants.newest_first import NewestFirst
from simulation.invariants.nobody_trusted import NobodyTrusted
from simulation.invariants.nowhere_else import NowhereElse
from simulation.invariants.once import Once
from simulation.invariants.patches_again import PatchesAgain
from simulation.invariants.reading import Reading
from simulation.invariants.records import Records
from simulation.invariants.rest import Rest
from simulation.invariants.right_board import RightBoard
from simulation.invariants.rule import Rule
from simulation.invariants.shared_serials import SharedSerials
from simulation.invariants.shown_boards import ShownBoards
from simulation.invariants.shown_jobs import ShownJobs
from simulation.invariants.taken_in import TakenIn
from simulation.invariants.these_bytes import TheseBytes
from simulation.invariants.verdicts import Verdicts
from simulation.invariants.virtual_only import VirtualOnly
from simulation.invariants.waits import Waits
from simulation.invariants.way_in import WayIn
from simulation.invariants.written_slowly import WrittenSlowly
from simulation.seen import Ask, Disk, FlashChange, Lie, Opened, Seen, Setup, Shown, Spoken, Started

RULES: Final[tuple[type[Rule], ...]] = (
    NowhereElse,
    Canaries,
    Never,
    RightBoard,
    SharedSerials,
    WayIn,
    TheseBytes,
    TakenIn,
    BelongsThere,
    HalfImages,
    GoesOn,
    NewestFirst,
    Once,
    ArmedOnce,
    PatchesAgain,
    NobodyTrusted,
    Reading,
    VirtualOnly,
    ChangedFiles,
    IncludedFiles,
    Doors,
    Holds,
    Leases,
    Answers,
    Waits,
    Histories,
    AskedFor,
    ShownBoards,
    WrittenSlowly,
    ShownJobs,
    Verdicts,
    BackByItself,
    Records,
    Bounds,
    Rest,
)
"""Every rule: 1 to 10, 12 and 13 of DESIGN, section 5, then what else must be so."""


class Checker:
    """Holds all rules. Each method raises `BrokenRuleError` for the first that does not hold.

    The order of a thing that happens: the world changes `seen`, then calls the method that tells of it.
    """

    def __init__(self, seen: Seen, measure: Callable[[], Mapping[str, int]] | None = None) -> None:
        self.seen = seen
        self.attempts = Attempts(seen)
        self.rules = [rule(seen, self.attempts) for rule in RULES]
        for rule in self.rules:
            if isinstance(rule, Bounds) and measure is not None:
                rule.measure = measure
        self._known_jobs: dict[int, JobState] = {}
        """As they were shown last, by whatever life."""
        self._changed = self._those("changed")
        self._opened = self._those("opened")
        self._started = self._those("started")
        self._spoke = self._those("spoke")
        self._published = self._those("published")
        self._asked = self._those("asked")
        self._answered = self._those("answered")

    def _those(self, method: str) -> list[Rule]:
        """Return the rules that look at one kind of thing: the others cost nothing."""
        return [rule for rule in self.rules if getattr(type(rule), method) is not getattr(Rule, method)]

    def began(self) -> None:
        """A life of the daemon begins; `seen.life` is its number already."""
        self.seen.shown = Shown()
        self.attempts.began()
        for rule in self.rules:
            rule.began()

    def ended(self) -> None:
        """A life of the daemon is over: what its clients wait for is never answered."""
        self.seen.is_alive = False
        for ask in self.seen.asks:
            if ask.life == self.seen.life and ask.answered_at is None:
                ask.is_abandoned = True

    def changed(self, change: FlashChange) -> None:
        """A flash has changed. A lie about this very operation was told before."""
        self.seen.changes[change.device] += 1
        self.attempts.changed(change)
        for rule in self._changed:
            rule.changed(change)

    def lied(self, device: str, lie: Lie) -> None:
        """A flash goes wrong and says OK."""
        self.attempts.lied(device, lie)

    def opened(self, opened: Opened) -> None:
        """A device was opened for a lane."""
        for rule in self._opened:
            rule.opened(opened)

    def commanded(self, board: str) -> None:
        """A command is run, or a port touched, to bring a board into DFU mode."""
        for rule in self.rules:
            rule.commanded(board)

    def plugged(self) -> None:
        """A device has come, gone, or changed its mode."""
        for rule in self.rules:
            rule.plugged()

    def started(self, started: Started) -> None:
        """A device has left its bootloader."""
        for rule in self._started:
            rule.started(started)

    def spoke(self, spoken: Spoken) -> None:
        """An application has started, and says something from now on."""
        for rule in self._spoke:
            rule.spoke(spoken)

    def published(self, event: Event) -> None:
        """The hub has published something."""
        before = None
        if (job := event.job) is not None:
            # A life that begins shows what it has found recorded: that a job ran then is no beginning.
            is_found = job.id in self._known_jobs and job.id not in self.seen.shown.jobs
            before = job if is_found else self._known_jobs.get(job.id)
            self._known_jobs[job.id] = job
        self.seen.shown.take(event)
        self.attempts.published(event, before)
        for rule in self._published:
            rule.published(event, before)

    def asked(self, ask: Ask) -> None:
        """A client asks."""
        self.seen.asks.append(ask)
        for rule in self._asked:
            rule.asked(ask)

    def answered(self, ask: Ask) -> None:
        """A client was answered: `answered_at`, `refused` and `jobs` say how."""
        for rule in self._answered:
            rule.answered(ask)

    def took(self, after: Setup) -> None:
        """A configuration is in force: of a start, or of a reload."""
        before, self.seen.setup = self.seen.setup, after
        names = renamed(before, after)
        for ask in self.seen.asks if names else ():  # what was asked of a board was asked of it, whatever it is called
            ask.boards = tuple(names.get(name, name) for name in ask.boards)
        for rule in self.rules:
            rule.took(before, after)

    def looked(self, disk: Disk) -> None:
        """The state directory was looked at."""
        for rule in self.rules:
            rule.looked(disk)

    def spooled(self, name: str, *, is_kept: bool) -> None:
        """An image has come into the spool, or was removed from it."""
        for rule in self.rules:
            rule.spooled(name, is_kept=is_kept)

    def wrote(self, path: str, since: float) -> None:
        """A tool still has the file of a build open, and writes it since then."""
        for rule in self.rules:
            rule.wrote(path, since)

    def opened_path(self, path: str) -> None:
        """The daemon has opened a path."""
        for rule in self.rules:
            rule.opened_path(path)

    def touched_real(self, what: str) -> None:
        """The daemon has reached for something that one of emulated boards never does: libusb, udev."""
        for rule in self.rules:
            rule.touched_real(what)

    def seldom(self) -> None:
        """Look at what changes seldom, at a point that the seed has chosen."""
        for rule in self.rules:
            rule.seldom()

    def rested(self) -> None:
        """The end."""
        self.seldom()
        for rule in self.rules:
            rule.rested()
