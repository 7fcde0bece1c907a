"""One run of `flashdeck init`: gathers the facts, leads the dialogue, and comes to the steps."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec.structs import replace as replace_fields

from flashdeck.config import Config
from flashdeck.config_file import proposed
from flashdeck.errors import ConfigError, RequestError
from flashdeck.first_board.found import FoundBuild
from flashdeck.image_file import load_image
from flashdeck.text import MAX_PATH, clean
from flashdeck_tui.cli.daemon_program import builds_below
from flashdeck_tui.first_steps import board_choice
from flashdeck_tui.first_steps.asked_questions import Topic, WrongAnswerError
from flashdeck_tui.first_steps.config_place import ConfigPlace
from flashdeck_tui.first_steps.dialogue import Ask, Await, Edit, answered, edited, look
from flashdeck_tui.first_steps.draft import names_for
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts
from flashdeck_tui.first_steps.person import Person
from flashdeck_tui.first_steps.setup import BoardSetup
from flashdeck_tui.first_steps.sources import BusSource, Plugged


def facts_of(place: ConfigPlace, root: Path, name: str) -> KnownFacts:
    """Return the facts but for devices and builds."""
    nominal = place.file(names_for(name, place.config)[0])

    def check(text: str) -> Config:
        return proposed(place.main, nominal, text)

    return KnownFacts(check=check, config=place.config, root=root, here=Path.cwd(), time=time.time())


def with_images(facts: KnownFacts, given: Given, wanted: Sequence[tuple[str, Path]]) -> tuple[KnownFacts, Given]:
    """Return facts and answers with the images that were named. Raises FlashdeckError for what is none."""
    builds = list(facts.builds)
    names: dict[str, str] = {}
    for name, path in wanted:
        load_image(path)  # what cannot be read is said as it is elsewhere
        build = _build_at(builds, path) or _build_beside(path)
        builds = [build, *(each for each in builds if each.best.path != build.best.path)]
        names[build.best.path] = name
    if not names:
        return facts, given
    return replace(facts, builds=tuple(builds)), replace(given, images=tuple(names), names=names)


def _build_beside(path: Path) -> FoundBuild:
    """Return the build that a file outside of the project belongs to. Raises RequestError where it is no image."""
    scanned = builds_below(path.absolute().parent)
    build = _build_at(scanned.builds or (), path)
    if build is None:
        shown = clean(str(path.absolute()), MAX_PATH)
        why = next((note for note in scanned.notes if shown in note), "name the file that the build wrote")
        raise RequestError(f"{clean(str(path), MAX_PATH)} is no image that can be flashed", hint=why)
    return build


def _build_at(builds: Sequence[FoundBuild], path: Path) -> FoundBuild | None:
    """Return the build that a file belongs to, with this file as the one to watch."""
    real = os.path.realpath(path)
    for build in builds:
        for image in (build.best, *build.others):
            if os.path.realpath(image.path) == real:
                others = tuple(each for each in (build.best, *build.others) if each is not image)
                return replace_fields(build, best=image, others=others, reason="")
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
                    self.ask(outlook.step)
                    if outlook.step.question.topic is Topic.BOARD:  # not later: a board may leave by itself
                        self._see(self.source.now())

    def _see(self, bus: Plugged) -> None:
        self._bus = bus
        self.facts = self.facts.now(bus.devices, bus.boards)
        for trouble in bus.troubles:
            if trouble not in self._told:
                self._told.add(trouble)
                self.person.say(trouble)

    def ask(self, step: Ask) -> None:
        """Ask a question, and take the answer if it can be taken."""
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
