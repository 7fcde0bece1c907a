"""The real daemon on a bench where the boards called `hostile-N` answer whatever N, as a seed, makes of every request.

Run as a program, with the options of flashdeckd.
"""

import random
from dataclasses import fields
from pathlib import Path

from flashdeckd import __main__
from flashdeckd.virtual import virtual_bench
from flashdeckd.virtual.bench_file import read_specs
from flashdeckd.virtual.control import Answer, Bus, Outcome, Setup, State, UsbFunction
from flashdeckd.virtual.identity import Identity, InterfaceSetting
from flashdeckd.virtual.nor import NorFlash, Operation
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.virtual_bench import VirtualBench

LONGEST_POLL = 200
"""Milliseconds that a hostile board claims; what a claim of hours does is for tests whose clock is not the world's."""
_ANSWERS = (Answer.OK,) * 20 + (Answer.STALL, Answer.STALL, Answer.NAK, Answer.OVERFLOW)
_LEAVES = (Bus.RESTARTS, Bus.REATTACHES, Bus.CRASHES, Bus.JUMPS)


class HostileFunction:
    """Now and then it does what the real bootloader behind it would."""

    def __init__(self, chance: random.Random, behind: UsbFunction) -> None:
        self._chance = chance
        self._behind = behind
        self._honesty = chance.choice((0.0, 0.5, 0.9, 0.99))

    @property
    def state(self) -> State:
        return self._behind.state

    @property
    def busy(self) -> Operation | None:
        return self._behind.busy

    def attach(self) -> None:
        self._behind.attach()

    def ended(self, operation: Operation) -> None:
        self._behind.ended(operation)

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        if self._chance.random() < self._honesty:
            return self._behind.request(setup, data)
        if self._chance.random() < 0.02:
            return Outcome(bus=self._chance.choice(_LEAVES), jump=self._chance.getrandbits(32))
        answer = self._chance.choice(_ANSWERS)
        if answer is not Answer.OK or not setup.is_in:
            return Outcome(answer)
        return Outcome(data=self._garbage(setup))

    def _garbage(self, setup: Setup) -> bytes:
        if setup.is_dfu and setup.length == 6 and self._chance.random() < 0.9:
            poll = self._chance.randrange(LONGEST_POLL).to_bytes(3, "little")
            return bytes((self._chance.choice((0, 0, self._chance.randrange(256))), *poll, self._state(), 0))
        if setup.is_dfu and setup.length == 1:
            return bytes((self._state(),))
        garbage = self._chance.randbytes(self._chance.randint(0, setup.length))
        # Claims of hours would only make the test wait.
        return garbage[:2] + b"\0\0" + garbage[4:] if setup.is_dfu and setup.length == 6 else garbage

    def _state(self) -> int:
        return self._chance.choice((State.IDLE, State.DNLOAD_IDLE, State.DNLOAD_IDLE, self._chance.randrange(256)))


class HostileSpec(BoardSpec):
    """A board whose bootloader and descriptors are garbage."""

    def bootloader(self, flash: NorFlash) -> tuple[Identity, UsbFunction]:
        chance = random.Random(f"{self.name} {flash.words} {flash.erases}")  # noqa: S311 - garbage, nothing secret
        identity, function = super().bootloader(flash)
        return _spoilt(identity, chance), HostileFunction(chance, function)


def _spoilt(identity: Identity, chance: random.Random) -> Identity:
    settings = list(identity.settings)
    if chance.random() < 0.5:
        number = chance.choice((0, chance.randrange(256)))
        code = chance.choice((0xFE, chance.randrange(256)))
        settings.append(InterfaceSetting(number, 1, code, 1, chance.randrange(4), 5, chance.randbytes(20)))
        settings.sort(key=lambda setting: (setting.interface, setting.alternate))
    strings = tuple(text if chance.random() < 0.7 else _text(chance) for text in identity.strings)
    return Identity(
        identity.usb_id,
        tuple(settings),
        strings[:2] + identity.strings[2:3] + strings[3:],
        identity.bcd_device,
        identity.configuration_string,
    )


def _text(chance: random.Random) -> str:
    return "".join(chr(chance.choice((0x1B, 0x0A, 0x5B, 0x202E, chance.randrange(1, 0xD800)))) for _ in range(40))


def hostile_bench(path: Path) -> VirtualBench:
    """The bench of that file, with hostile boards where their names say so."""
    return VirtualBench(
        HostileSpec(**{each.name: getattr(spec, each.name) for each in fields(spec)})
        if spec.name.startswith("hostile")
        else spec
        for spec in read_specs(path)
    )


if __name__ == "__main__":
    virtual_bench.load_bench = hostile_bench
    __main__.main()
