"""The dialogue as a state machine: from facts and the answers so far to what comes next. Pure.

A question that has one possible answer is not asked: the answer is shown.
"""

import shlex
from dataclasses import dataclass, field, replace
from typing import Final

from flashdeck.config import Config, Enter, Profile
from flashdeck.errors import ConfigError, RequestError
from flashdeck.first_board.profile_fit import of_its_kind, speaks_plain, with_its_sectors
from flashdeck.model import BoardState, DeviceState
from flashdeck_tui.first_steps import board_choice, chip_choice, image_choice, setting_choice, way_choice
from flashdeck_tui.first_steps.asked_questions import (
    PossibleAnswer,
    Question,
    Topic,
    TypedAnswer,
    WrongAnswerError,
    read_answer,
)
from flashdeck_tui.first_steps.chip_choice import Flash
from flashdeck_tui.first_steps.draft import Draft, identity, in_other_bank, names_for, partition_of, setting_of, text_of
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.image_choice import Places
from flashdeck_tui.first_steps.known_board import again, files_for, unused
from flashdeck_tui.first_steps.known_facts import KnownFacts, device_line, usb_id_of
from flashdeck_tui.first_steps.setup import BoardSetup

YES: Final = "yes"
EDIT: Final = "edit"
TRUSTED: Final = "trusted"
"""The answer of a person who knows that the bootloader erases the bank that it is asked to; the word of the file."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A line that says what is decided: because nothing else was possible, or because it was answered."""

    topic: Topic
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to answer."""

    question: Question
    profile: Profile | None = None
    """The map to draw above it."""


@dataclass(frozen=True, slots=True)
class Await:
    """A device has to be plugged in, or brought into DFU mode."""

    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A person wants to edit the file."""

    text: str


Step = Ask | Await | Edit | BoardSetup
"""The next step; a BoardSetup where nothing is left but the last yes."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The dialogue at one point."""

    shown: tuple[Decided, ...]
    """All that is decided so far, in order."""
    notes: tuple[str, ...]
    """Remarks on it."""
    step: Step


def look(facts: KnownFacts, given: Given) -> Outlook:
    """Return what is decided by now, and what comes next. Raises RequestError where it cannot come to an end."""
    image_choice.require_any(facts)
    walk = _Questioning(facts, given)
    step = walk.step()
    return Outlook(tuple(walk.shown), tuple(walk.notes), step)


def answered(facts: KnownFacts, given: Given, question: Question, typed: str) -> Given:
    """Return the answers with one more. Raises WrongAnswerError where it cannot be taken."""
    answer = read_answer(question, typed)
    value = answer.values[0]
    match question.topic:
        case Topic.BOARD:
            return given if value == board_choice.LOOK_AGAIN else replace(given, device=value)
        case Topic.CHIP:
            return replace(given, flash=chip_choice.taken(answer))
        case Topic.IMAGES:
            return replace(given, images=_images(facts, given, answer))
        case Topic.SETTINGS:
            return replace(given, settings=setting_choice.taken(answer, len(question.default), _device(facts, given)))
        case Topic.MAP:
            return replace(
                given,
                map_is_right=value in (YES, TRUSTED),
                trusts_banks=given.trusts_banks or value == TRUSTED,
                wants_editor=value == EDIT,
            )
        case Topic.ENTER:
            enter, hint = way_choice.taken(answer, facts.here)
            return replace(given, enter=enter, enter_hint=hint)


def edited(facts: KnownFacts, given: Given, text: str | None) -> Given:
    """Return the answers with the file as it was edited; None where nobody changed it.

    Raises ConfigError with all mistakes where the loader refuses it, or no board of it is the device.
    """
    if text is None:
        return replace(given, wants_editor=False)
    _own(facts, given, facts.check(text))
    return replace(given, wants_editor=False, edited=text)


@dataclass(slots=True)
class _Questioning:
    """The way through the questions, as far as the answers reach."""

    facts: KnownFacts
    given: Given
    shown: list[Decided] = field(default_factory=list[Decided])
    notes: list[str] = field(default_factory=list[str])

    def step(self) -> Step:
        """Return the first step that the answers do not reach beyond."""
        found = board_choice.choose(self.facts, self.given)
        match found:
            case str():
                return Await(found)
            case Question():
                return Ask(found)
            case BoardState():
                setup = again(self.facts, found, self.given)
                self._show(Topic.BOARD, f"{found.name}, configured already")
                self.notes += filter(None, (unused(self.given),))
                return setup
            case DeviceState():
                self._show(Topic.BOARD, device_line(found))
                self._note_profiles(found)
                return self._of_device(found)

    def _show(self, topic: Topic, text: str) -> None:
        self.shown.append(Decided(topic, text))

    def _note_profiles(self, device: DeviceState) -> None:
        """Note that a profile which is there may do."""
        for profile in self.facts.config.profiles.values():
            if profile.dfu == usb_id_of(device) and _may_be_of(profile, device):
                adopt = f"flashdeck adopt {shlex.quote(device.port)} --profile {profile.name}"
                self.notes.append(f"Is it another board of {profile.name}? Then Ctrl-C, and '{adopt}' is all.")

    def _of_device(self, device: DeviceState) -> Step:
        if _is_plain(device):
            if self.given.flash is not None or self.given.trusts_banks:
                raise _for_addresses()
            return self._of_flash(device, None)
        if self.given.settings is not None:
            raise _for_settings()
        flash = chip_choice.choose(self.facts, self.given, device)
        if isinstance(flash, Question):
            return Ask(flash)
        self._show(Topic.CHIP, flash[1])
        return self._of_flash(device, flash[0])

    def _of_flash(self, device: DeviceState, flash: Flash | None) -> Step:
        places = None if flash is None else Places.of(flash, device, self.facts.builds)
        if self.given.images is None:
            self.notes += image_choice.not_offered(self.facts, places)
        images = image_choice.choose(self.facts, self.given, places)
        if isinstance(images, Question):
            return Ask(images)
        self._show(Topic.IMAGES, images[1])
        builds = images[0]
        profile, board = names_for(self.given.name, self.facts.config)
        serial, port = identity(device)
        draft = Draft(profile=profile, board=board, dfu=usb_id_of(device), flash=flash, serial=serial, port=port)
        if places is not None:
            layout = image_choice.partitions(self.facts, self.given, places, builds)
            self.notes += filter(None, (*layout.notes, layout.room))
            tables = {each.name: partition_of(each) for each in layout.partitions}
            return self._of_map(device, replace(draft, partitions=tables, trusts_banks=self.given.trusts_banks))
        settings = setting_choice.choose(self.given, device, builds)
        if isinstance(settings, Question):
            return Ask(settings)
        self._show(Topic.SETTINGS, settings[1])
        names = image_choice.names_of(self.given, builds)
        tables = {
            name: setting_of(build, setting) for name, build, setting in zip(names, builds, settings[0], strict=True)
        }
        return self._of_map(device, replace(draft, partitions=tables))

    def _of_map(self, device: DeviceState, draft: Draft) -> Step:
        text = text_of(draft) if self.given.edited is None else self.given.edited
        if self.given.wants_editor:
            return Edit(text)
        if self.given.edited is not None:
            return self._done(text)
        profile = self.facts.check(text).profiles[draft.profile]
        if not self.given.map_is_right:
            return Ask(_map_question(profile, trusts=draft.trusts_banks), profile)
        running = self.facts.application_of(device)
        app = self.given.app or (usb_id_of(running) if running is not None else None)
        chosen = way_choice.choose(self.given, app, running)
        if chosen.way is not Enter.MANUAL and app is None:
            raise _unknown_app()
        whole = replace(draft, app=app, enter=chosen.way, enter_hint=self.given.enter_hint)
        return self._done(text_of(whole), chosen.others)

    def _done(self, text: str, other_ways: Question | None = None) -> Step:
        """Return the end of it, or the map of an edited file once more."""
        config = self.facts.check(text)
        board, profile = _own(self.facts, self.given, config)
        if not self.given.map_is_right:
            return Ask(_map_question(profile, trusts=True), profile)
        waits = () if profile.banks == TRUSTED else tuple(each.name for each in in_other_bank(profile))
        return BoardSetup(board, profile, text, files_for(profile, self.facts), waits, other_ways)


def _own(facts: KnownFacts, given: Given, config: Config) -> tuple[str, Profile]:
    """Return the board of a configuration that is the device. Raises ConfigError where there is none."""
    device = board_choice.choose(facts, given)
    if isinstance(device, DeviceState):
        for name, board in config.boards.items():
            is_new = name not in facts.config.boards
            if is_new and board.profile.dfu == usb_id_of(device) and _is(board.serial, board.port, device):
                return name, board.profile
    raise ConfigError(
        "no board of the file is the one that was chosen", hint="keep its USB id, and its serial or its port"
    )


def _is(serial: str, port: str, device: DeviceState) -> bool:
    return bool(serial or port) and serial in ("", device.serial) and port in ("", device.port)


def _is_plain(device: DeviceState) -> bool:
    return speaks_plain(device.setting_names, device.usb_id, device.dfu_version)


def _may_be_of(profile: Profile, device: DeviceState) -> bool:
    """Tell whether a device may be a board of a profile that has its USB id."""
    fitting = of_its_kind((profile,), device.setting_names, device.usb_id, device.dfu_version)
    return bool(with_its_sectors(fitting, device.setting_names, device.usb_id))


def _device(facts: KnownFacts, given: Given) -> DeviceState:
    """Return the device that a question is about, which was chosen before."""
    device = board_choice.choose(facts, given)
    assert isinstance(device, DeviceState)  # noqa: S101 - or that question would not have been asked
    return device


def _images(facts: KnownFacts, given: Given, answer: TypedAnswer) -> tuple[str, ...]:
    """Return the images that were typed. Raises WrongAnswerError where they cannot go onto the device together."""
    device = _device(facts, given)
    if _is_plain(device) and (problem := setting_choice.too_many(device, len(answer.values))):
        raise WrongAnswerError(problem)
    return image_choice.taken(facts, answer, _places(device, facts, given))


def _places(device: DeviceState, facts: KnownFacts, given: Given) -> Places | None:
    if _is_plain(device):
        return None
    flash = chip_choice.choose(facts, given, device)
    return None if isinstance(flash, Question) else Places.of(flash[0], device, facts.builds)


def _map_question(profile: Profile, *, trusts: bool) -> Question:
    options = [PossibleAnswer("y", YES, "yes"), PossibleAnswer("e", EDIT, "edit the file")]
    intro: tuple[str, ...] = ()
    if not trusts and (others := in_other_bank(profile)):
        names = " and ".join(each.name for each in others)
        options.append(PossibleAnswer("t", TRUSTED, "yes, and this bootloader erases the right bank"))
        first = f"{names} and what is protected are in different banks, and some bootloaders erase the wrong one."
        then = f"After y flashdeck checks that first; on a board that cannot be read, {names} then waits for one"
        intro = (f"{first} {then} 'flashdeck release'.",)
    return Question(
        Topic.MAP,
        "Is this map right?",
        tuple(options),
        "Letter",
        "--banks trusted",
        default=(YES,),
        intro=intro,
    )


def _for_addresses() -> RequestError:
    return RequestError(
        "this device speaks plain DFU, without addresses: it has no chip to name and no banks",
        hint="leave out --chip and --banks; --alt says which alternate setting takes which image",
    )


def _for_settings() -> RequestError:
    return RequestError(
        "this device has addresses, and no alternate setting for each image",
        hint="leave out --alt: images go where they are linked for",
    )


def _unknown_app() -> RequestError:
    return RequestError(
        "this way into DFU mode is for a running application, and its USB id is not known",
        hint="run flashdeck init while the application is running, or name it: --app VID:PID",
    )
