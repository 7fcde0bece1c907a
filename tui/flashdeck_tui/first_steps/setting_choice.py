"""The alternate settings of a plain DFU device, and the image for each. Pure."""

from collections.abc import Sequence
from typing import Final

from flashdeck.first_board.found import FoundBuild
from flashdeck.model import DeviceState
from flashdeck.text import clean
from flashdeck_tui.first_steps.asked_questions import Question, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.given import Given

MAX_SETTING: Final = 255
"""The highest number of an alternate setting: bAlternateSetting is one byte."""
DFUSE: Final = 0x011A
"""The bcdDFUVersion of devices with addresses (ST UM0424)."""


def is_plain(device: DeviceState, *, has_map: bool) -> bool:
    """Tell whether a device speaks plain DFU, without addresses; a memory map says more than its version."""
    return not has_map and device.dfu_version not in (None, DFUSE)


def choose(
    given: Given, device: DeviceState, builds: Sequence[FoundBuild]
) -> tuple[tuple[int | str, ...], str] | Question:
    """Return the setting of each build and the words for them, or the question which."""
    if given.settings is not None:
        return given.settings, ", ".join(
            f"{clean(build.name, 40)} to alt {clean(str(setting))}"
            for build, setting in zip(builds, given.settings, strict=False)
        )
    names = tuple(dict.fromkeys(clean(name, 60) for name in device.setting_names if name.strip()))
    one = len(builds) == 1
    return Question(
        Topic.SETTINGS,
        f"Which alternate setting takes {', '.join(clean(build.name, 40) for build in builds)}?",
        (),
        "Its number" if one else "Their numbers, in this order",
        "--alt NUMBER",
        default=tuple(str(number) for number in range(len(builds))),
        several=False,
        free=True,
        intro=(
            "This device speaks plain DFU: it has no addresses, and an alternate setting for each kind of contents.",
            *((f"Known by name: {', '.join(names)}.",) if names else ()),
        ),
    )


def taken(answer: TypedAnswer, wanted: int) -> tuple[int, ...]:
    """Return the `wanted` numbers that were typed. Raises WrongAnswerError."""
    words = " ".join(answer.values).replace(",", " ").split()
    if len(words) != wanted:
        raise WrongAnswerError("Type one number." if wanted == 1 else f"Type {wanted} numbers.")
    if not all(word.isascii() and word.isdecimal() and int(word[:4]) <= MAX_SETTING for word in words):
        raise WrongAnswerError(f"Type numbers from 0 to {MAX_SETTING}.")
    numbers = tuple(int(word) for word in words)
    if len(set(numbers)) != len(numbers):
        raise WrongAnswerError("Two images cannot have the same setting.")
    return numbers
