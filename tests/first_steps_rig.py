"""Facts of a first board as a test wants them: devices, builds, and the loader that says what it thinks of a file."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec.structs import replace as replace_fields

from flashdeck.config import Config
from flashdeck.config_file import proposed
from flashdeck.first_board.found import BuildLayout, FoundBuild, FoundImage
from flashdeck.model import DeviceMode, DeviceState, WayIntoDfu
from flashdeck_tui.first_steps.dialogue import Ask, Outlook, answered, look
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts
from flashdeck_tui.first_steps.setup import BoardSetup

MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
NOW = 1_000_000.0
K = 1024


def device(port: str = "1-1", **changes: object) -> DeviceState:
    """An STM32H563RG in DFU mode."""
    known: dict[str, object] = {
        "port": port,
        "usb_id": "0483:df11",
        "serial": f"SERIAL{port}",
        "product": "Product",
        "setting_names": (MAP,),
        "dfu_version": 0x011A,
        "mode": DeviceMode.DFU,
    }
    return DeviceState(**{**known, **changes})  # type: ignore[arg-type] # each field is checked where it is read


def running(port: str = "1-1", *ways: WayIntoDfu, **changes: object) -> DeviceState:
    """Its application."""
    known: dict[str, object] = {"usb_id": "0483:5740", "mode": DeviceMode.RUNNING, "ways_into_dfu": ways}
    return device(port, **{**known, "setting_names": (), "dfu_version": None, **changes})


def build(path: str, start: int | None, size: int = 20 * K, *, age: float = 60.0, program: bool = True) -> FoundBuild:
    """A build that was linked for an address."""
    end = None if start is None else start + size
    image = FoundImage(
        path=path,
        format="raw binary",
        size=size,
        modified_at=NOW - age,
        start=start,
        end=end,
        parts=() if start is None or end is None else ((start, end),),
        start_is_guess=True,
        is_program=program,
        initial_stack=0x20030000,
    )
    return FoundBuild(name=Path(path).stem, layout=BuildLayout.PLAIN, best=image)


def unsigned(path: str, start: int, *beside: FoundBuild, room: int = 0x200) -> FoundBuild:
    """A build with room for an MCUboot header, and the signed files that were written beside it."""
    plain = build(path, start, program=False)
    signed = tuple(replace_fields(each.best, has_header=True) for each in beside)
    return replace_fields(plain, best=replace_fields(plain.best, header_room=room), others=signed)


APP1 = build("/fw/app1/APP1.bin", 0x08020000)
APP2 = build("/fw/app2/APP2.bin", 0x08080000, age=120.0)


def facts(tmp_path: Path, *devices: DeviceState, builds: tuple[FoundBuild, ...] = (APP1, APP2)) -> KnownFacts:
    """Facts with the real loader, and a configuration that is not there yet."""
    file = tmp_path / "flashdeck.toml"

    def check(text: str) -> Config:
        return proposed(file, file, text)

    empty = KnownFacts(check=check, builds=builds, root=Path("/fw"), here=Path("/fw"), time=NOW)
    return empty.now(devices or (device(),), ())


@dataclass(slots=True)
class Talk:
    """A dialogue in which a test answers."""

    facts: KnownFacts
    given: Given = field(default_factory=Given)

    @property
    def outlook(self) -> Outlook:
        return look(self.facts, self.given)

    def asked(self) -> Ask:
        """The question that is asked now; fails where there is none."""
        step = self.outlook.step
        assert isinstance(step, Ask), step
        return step

    def answer(self, typed: str) -> None:
        self.given = answered(self.facts, self.given, self.asked().question, typed)

    def other_way(self, typed: str) -> None:
        """Answer the question that only who wants another way into DFU mode is asked."""
        step = self.outlook.step
        assert isinstance(step, BoardSetup), step
        assert step.other_ways is not None
        self.given = answered(self.facts, self.given, step.other_ways, typed)

    def shown(self) -> list[str]:
        return [f"{each.topic}: {each.text}" for each in self.outlook.shown]

    def see(self, *devices: DeviceState) -> None:
        self.facts = self.facts.now(devices, ())


def in_order(text: str, *words: str) -> bool:
    """True if the words come one after another."""
    return re.search(".*".join(map(re.escape, words)), text, re.DOTALL) is not None


def named(given: Given, **names: str) -> Given:
    """Answers with a name for the partition of each path."""
    return replace(given, names=names)
