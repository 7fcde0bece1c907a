"""No answers, in whatever order, come to a file that the loader refuses, or to a write into what is protected."""

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from first_steps_rig import APP1, APP2, Talk, build, device, facts, running
from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.errors import FlashdeckError
from flashdeck.first_board.found import FoundBuild
from flashdeck.model import DeviceState, WayIntoDfu
from flashdeck_tui.first_steps.asked_questions import MAX_ANSWER, Topic, WrongAnswerError
from flashdeck_tui.first_steps.dialogue import Await, BoardSetup, Edit, Step, edited

MOST_TURNS = 14
MOST_QUESTIONS = 4
"""Questions that anybody is asked before the last yes, wrong answers and an editor apart."""
LEAST_ENDS = 12
"""Dialogues, of all that are tried, that come to a file."""
Draw = Callable[..., Any]
_CHIPS = ("STM32H563RG", "STM32F405RG", "STM32F103C8", "h563rgt6", "1", "m", "128*8K@0x08000000", "nonsense", "")
_WAYS = ("d", "t", "m", "m hold SW2, press RESET", "m \x1b[31m\u202e", "c ./enter --now", "c --x", "c 'open", "")
_MAPS = ("y", "t", "e", "", "n")
_TEXT = st.text(max_size=MAX_ANSWER + 20)
_NAMES = st.text(
    alphabet=st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})
_STARTS = st.sampled_from(
    (0x08000000, 0x08002000, 0x08010000, 0x08020000, 0x08080000, 0x080FE000, 0x0C020000, 0x90000000, 0x08020004, None)
)


@st.composite
def builds(draw: st.DrawFn) -> FoundBuild:
    folder, name = draw(_NAMES), draw(_NAMES)
    size = draw(st.integers(8, 600 * 1024))
    age = draw(st.floats(0, 1e6))
    return build(f"/fw/{folder}/{name}", draw(_STARTS), size, age=age, program=draw(st.booleans()))


@st.composite
def devices(draw: st.DrawFn) -> DeviceState:
    maps = st.sampled_from(("@Internal Flash   /0x08000000/16*8Ka,112*8Kg", "@F/0x08000000/04*016Kg,01*064Kg", "junk"))
    return device(
        draw(st.sampled_from(("1-1", "1-2", "1-4.2"))),
        serial=draw(st.text(max_size=130)),
        product=draw(st.text(max_size=20)),
        setting_names=draw(st.lists(maps, max_size=2).map(tuple)),
        dfu_version=draw(st.sampled_from((0x011A, 0x0101, 0x0110, None))),
        serial_shared=draw(st.booleans()),
    )


def typed_at(topic: Topic, draw: Draw) -> str:
    """Something that a person may type there: mostly what makes sense."""
    sensible = {
        Topic.BOARD: st.sampled_from(("1", "2", "r")),
        Topic.CHIP: st.sampled_from(_CHIPS),
        Topic.IMAGES: st.lists(st.integers(0, 9).map(str), max_size=4).map(" ".join),
        Topic.SETTINGS: st.lists(st.integers(0, 300).map(str), max_size=4).map(" ".join),
        Topic.MAP: st.sampled_from(_MAPS),
        Topic.ENTER: st.sampled_from(_WAYS),
    }
    return draw(st.one_of(sensible[topic], sensible[topic], _TEXT))


def check_setup(talk: Talk, setup: BoardSetup, before: Config) -> None:
    """Write the file as it is, and hold what the loader makes of it to what was promised."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "flashdeck.toml"
        path.write_text(setup.text)
        config = load(path)
    assert setup.board not in before.boards
    profile = config.boards[setup.board].profile
    protected = profile.protected
    targets = [profile.partitions[image.partition] for image in setup.images]
    assert not any(each.protected for each in targets)
    assert not any(each.span.overlaps(span) for each in targets for span in protected if not profile.is_plain)
    if not profile.is_plain and talk.given.edited is None:
        lowest = min(each.span.start for each in profile.partitions.values() if not each.protected)
        flash = sorted(region.span for region in profile.geometry.regions)
        below = [sector for sector in profile.geometry.sectors() if sector.span.end <= lowest]
        assert all(any(span.covers(sector.span) for span in protected) for sector in below), (flash, protected)


def test_whatever_is_answered_the_loader_takes_the_file_and_the_gap_is_protected() -> None:
    ends: Counter[str] = Counter()

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def any_answers(data: st.DataObject) -> None:
        ends[one_dialogue(data)] += 1

    any_answers()
    assert ends["setup"] >= LEAST_ENDS, ends  # or it would say nothing


def one_dialogue(data: st.DataObject) -> str:
    """TypedAnswer at random; return how it ended."""
    draw = data.draw
    plugged = draw(st.lists(devices(), min_size=1, max_size=3, unique_by=lambda each: each.port))
    odd = draw(st.lists(builds(), max_size=3, unique_by=lambda each: each.best.path))
    found = [*draw(st.sampled_from(((APP1, APP2), (APP1,), (APP2,), ()))), *odd]
    seen = [running("1-1", *draw(st.sets(st.sampled_from((WayIntoDfu.DETACH, WayIntoDfu.TOUCH)))))]
    with tempfile.TemporaryDirectory() as directory:
        talk = Talk(facts(Path(directory), *seen, builds=tuple(found)))
        talk.see(*plugged)
        asked: set[Topic] = set()
        for _ in range(MOST_TURNS):
            step = next_step(talk)
            match step:
                case None:
                    return "refused"
                case BoardSetup():
                    if step.other_ways is not None and talk.given.enter is None and draw(st.booleans()):
                        with suppress(WrongAnswerError):
                            talk.other_way(draw(st.sampled_from(_WAYS)))
                        continue
                    check_setup(talk, step, talk.facts.config)
                    return "setup"
                case Await():
                    return "waits"
                case Edit(text):
                    other = draw(st.one_of(st.none(), st.just(text), st.just(text + "\nunknown = 1\n"), _TEXT))
                    with suppress(FlashdeckError):
                        talk.given = edited(talk.facts, talk.given, other)
                        continue
                    talk.given = edited(talk.facts, talk.given, None)
                case _:
                    asked.add(step.question.topic)
                    assert len(asked) <= MOST_QUESTIONS
                    with suppress(WrongAnswerError):
                        talk.answer(typed_at(step.question.topic, draw))
    return "still asks"


def next_step(talk: Talk) -> Step | None:
    """The next step; None where it ends with an error, which says what to do."""
    try:
        return talk.outlook.step
    except FlashdeckError as error:
        hint = error.hint
    assert hint
    return None
