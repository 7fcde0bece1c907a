"""One run of `flashdeck init`: gathers the facts, leads the dialogue, and comes to the steps."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from flashdeck.config import Config
from flashdeck.config_file import default_reading, proposed, reading_of
from flashdeck.errors import ConfigError, RequestError
from flashdeck.first_board.found import FoundBuild
from flashdeck.model import DaemonState
from flashdeck.paths import default_config_path
from flashdeck.text import MAX_PATH, clean
from flashdeck_tui.cli.daemon_program import builds_below
from flashdeck_tui.first_steps import board_choice
from flashdeck_tui.first_steps.asked_questions import Topic, WrongAnswerError
from flashdeck_tui.first_steps.blank_file import is_blank
from flashdeck_tui.first_steps.dialogue import Ask, Await, Edit, answered, edited, look
from flashdeck_tui.first_steps.draft import names_for
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts
from flashdeck_tui.first_steps.person import Person
from flashdeck_tui.first_steps.setup import BoardSetup
from flashdeck_tui.first_steps.sources import BusSource, Plugged


@dataclass(frozen=True, slots=True)
class ConfigPlace:
    """The configuration that there is, and where the new one goes."""

    main: Path
    """The file that the daemon reads."""
    config: Config
    """The configuration as it is."""
    has_main: bool
    """True if the main file is there and says something: it is not changed then."""

    @classmethod
    def of(cls, daemon: DaemonState | None) -> "ConfigPlace":
        """Return the place of the daemon's configuration. Raises ConfigError where there is one that is invalid."""
        state = daemon.configuration if daemon is not None else None
        is_virtual = daemon is not None and daemon.virtual
        if state is not None and state.files:
            main = Path(state.files[0])
            return cls(main, reading_of(main).checked(), has_main=not is_blank(main))
        main = default_config_path(virtual=is_virtual)
        has_main = os.path.lexists(main) and not is_blank(main)
        return cls(main, default_reading(virtual=is_virtual).checked(), has_main=has_main)

    def file(self, profile: str, text: str = "") -> Path:
        """Return the file for a new profile: one that is not there, or one that has this very text."""
        if not self.has_main:
            return self.main
        names = (f"{profile}{'' if number == 1 else f'-{number}'}.toml" for number in count(1))
        return next(path for name in names if _is_free(path := self.main.with_name(name), text))


def _is_free(path: Path, text: str) -> bool:
    """Tell whether a file can be written there, or has that text already."""
    return not os.path.lexists(path) or has_text(path, text)


def has_text(path: Path, text: str) -> bool:
    """Tell whether a file has just that text: an earlier run has written it."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def facts_of(place: ConfigPlace, root: Path, name: str) -> KnownFacts:
    """Return the facts but for devices and builds."""
    nominal = place.file(names_for(name, place.config)[0])

    def check(text: str) -> Config:
        return proposed(place.main, nominal, text)

    return KnownFacts(check=check, config=place.config, root=root, here=Path.cwd(), time=time.time())


def with_images(facts: KnownFacts, given: Given, wanted: Sequence[tuple[str, Path]]) -> tuple[KnownFacts, Given]:
    """Return facts and answers with the images that were named. Raises RequestError for what is none."""
    builds = list(facts.builds)
    names: dict[str, str] = {}
    for name, path in wanted:
        build = _build_at(builds, path) or _build_at(builds_below(path.absolute().parent).builds or (), path)
        if build is None:
            raise RequestError(
                f"{clean(str(path), MAX_PATH)} is no image that can be flashed",
                hint="name the file that the build wrote",
            )
        builds = [build, *(each for each in builds if each.best.path != build.best.path)]
        names[build.best.path] = name
    if not names:
        return facts, given
    return replace(facts, builds=tuple(builds)), replace(given, images=tuple(names), names=names)


def _build_at(builds: Sequence[FoundBuild], path: Path) -> FoundBuild | None:
    """Return the build that a file belongs to, with this file as the one to watch."""
    real = os.path.realpath(path)
    for build in builds:
        for image in (build.best, *build.others):
            if os.path.realpath(image.path) == real:
                return FoundBuild(name=build.name, layout=build.layout, variant=build.variant, best=image)
    return None


@dataclass(slots=True)
class Session:
    """The dialogue of one person with the facts as they change."""

    facts: KnownFacts
    given: Given
    person: Person
    source: BusSource
    device: str = ""
    """A port, a serial or a board's name that an option named."""
    _bus: Plugged = field(default_factory=lambda: Plugged(()))
    _told: set[str] = field(default_factory=set[str])

    def run(self) -> BoardSetup:
        """Return what the last yes is for. Raises FlashdeckError, and KeyboardInterrupt or Abort where it is ended."""
        self._see(self.source.now())
        if self.device:
            self.given = replace(self.given, device=board_choice.port_of(self.facts, self.device))
        while True:
            outlook = look(self.facts, self.given)
            self.person.tell(outlook)
            match outlook.step:
                case BoardSetup():
                    return outlook.step
                case Await(text):
                    self.person.awaits(text)
                    self._see(self.source.after(self._bus))
                case Edit(text):
                    self._edit(text)
                case Ask():
                    self._ask(outlook.step)
                    if outlook.step.question.topic is Topic.BOARD:  # not later: a board may leave by itself
                        self._see(self.source.now())

    def _see(self, bus: Plugged) -> None:
        self._bus = bus
        self.facts = self.facts.now(bus.devices, bus.boards)
        for trouble in bus.troubles:
            if trouble not in self._told:
                self._told.add(trouble)
                self.person.say(trouble)

    def _ask(self, step: Ask) -> None:
        typed = self.person.answers(step)
        try:
            self.given = answered(self.facts, self.given, step.question, typed)
        except WrongAnswerError as error:
            self.person.refuse(step, str(error))

    def _edit(self, text: str) -> None:
        """Let a person edit the file until the loader takes it, or nobody changes it."""
        while True:
            changed = self.person.edits(text)
            try:
                self.given = edited(self.facts, self.given, changed)
            except ConfigError as error:
                self.person.complain(error)
                assert changed is not None  # noqa: S101 - only a changed file is refused
                text = changed
            else:
                return
