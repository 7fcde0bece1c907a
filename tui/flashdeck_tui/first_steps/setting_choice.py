"""The alternate settings of a plain DFU device, and the image for each. Pure."""

from collections.abc import Sequence
from typing import Final

from flashdeck.errors import RequestError
from flashdeck.first_board.found import FoundBuild
from flashdeck.model import DeviceState
from flashdeck.text import clean, counted
from flashdeck_tui.first_steps.asked_questions import Question, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.given import Given

MAX_SETTING: Final = 255
"""The highest number of an alternate setting: bAlternateSetting is one byte."""


def choose(
    given: Given, device: DeviceState, builds: Sequence[FoundBuild]
) -> tuple[tuple[int | str, ...], str] | Question:
    """Return the setting of each build and the words for them, or the question which. Raises RequestError."""
    if problem := too_many(device, len(builds)):
        raise RequestError(problem, hint="say which images with --image")
    if given.settings is not None:
        return _said(given.settings, device, builds)
    if len(device.alternates) == len(builds) == 1:
        return device.alternates, f"{clean(builds[0].name, 40)} to alt {device.alternates[0]}, the only one"
    names = tuple(dict.fromkeys(clean(name, 60) for name in device.setting_names if name.strip()))
    one = len(builds) == 1
    which = f"Which of its alternate settings, {in_words(device)}," if device.alternates else "Which alternate setting"
    takes = "takes" if one or not device.alternates else "take"
    numbers = device.alternates or range(len(builds))
    return Question(
        Topic.SETTINGS,
        f"{which} {takes} {', '.join(clean(build.name, 40) for build in builds)}?",
        (),
        "Its number" if one else "Their numbers, in this order",
        "--alt NUMBER",
        default=tuple(str(number) for number in numbers[: len(builds)]),
        is_guess=True,
        free=True,
        intro=(
            "This device speaks plain DFU: it has no addresses, and an alternate setting for each kind of contents.",
            *((f"Known by name: {', '.join(names)}.",) if names else ()),
        ),
    )


def taken(answer: TypedAnswer, wanted: int, device: DeviceState) -> tuple[int, ...]:
    """Return the `wanted` numbers that were typed. Raises WrongAnswerError."""
    words = " ".join(answer.values).replace(",", " ").split()
    if len(words) != wanted:
        raise WrongAnswerError("Type one number." if wanted == 1 else f"Type {wanted} numbers.")
    if not all(word.isascii() and word.isdecimal() and int(word) <= MAX_SETTING for word in words):
        raise WrongAnswerError(f"Type numbers from 0 to {MAX_SETTING}.")
    numbers = tuple(int(word) for word in words)
    if device.alternates and not set(numbers) <= set(device.alternates):
        raise WrongAnswerError(f"This device has {in_words(device)}.")
    if len(set(numbers)) != len(numbers):
        raise WrongAnswerError("Two images cannot have the same setting.")
    return numbers


def too_many(device: DeviceState, images: int) -> str:
    """Return why a device has no settings for that many images, as a sentence; "" where it has."""
    have = len(device.alternates)
    if not have or images <= have:
        return ""
    return f"This device has {counted(have, 'alternate setting')}, so it takes {counted(have, 'image')} at most."


def in_words(device: DeviceState) -> str:
    """Return the numbers of its alternate settings, as "0 and 1" or "0 to 5"."""
    first, *others = device.alternates
    if not others:
        return str(first)
    return f"{first} to {others[-1]}" if len(others) > 1 else f"{first} and {others[0]}"


def _said(
    settings: Sequence[int | str], device: DeviceState, builds: Sequence[FoundBuild]
) -> tuple[tuple[int | str, ...], str]:
    """Return the settings that an option named, and the words for them. Raises RequestError."""
    if len(settings) != len(builds):
        names = ", ".join(clean(build.name, 40) for build in builds)
        raise RequestError(
            f"--alt names {counted(len(settings), 'setting')} for {counted(len(builds), 'image')} ({names})",
            hint="name one for each image, in the same order, as --alt 0,1",
        )
    unknown = [each for each in settings if isinstance(each, int) and each not in device.alternates]
    if device.alternates and unknown:
        raise RequestError(
            f"this device has no alternate setting {unknown[0]}", hint=f"it has {in_words(device)}; say it with --alt"
        )
    said = (f"{clean(build.name, 40)} to alt {clean(str(each))}" for build, each in zip(builds, settings, strict=True))
    return tuple(settings), ", ".join(said)
