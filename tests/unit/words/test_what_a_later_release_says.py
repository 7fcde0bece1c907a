"""Every enum of the wire may grow: each has a member that stands in, and every word for it is there."""

from collections.abc import Iterator

import pytest
from msgspec import inspect
from msgspec.structs import replace

from flashdeck import outcome, rpc
from flashdeck.api import METHODS
from flashdeck.disposition import Disposition
from flashdeck.errors import EXIT_CODES, ErrorKind, ExitCode
from flashdeck.job_state import (
    Cancelled,
    Canceller,
    DeviceWork,
    Done,
    JobStatus,
    Origin,
    Phase,
    Running,
    TimeClaim,
    Unknown,
    Verified,
    WaitFor,
    Waiting,
)
from flashdeck.model import BoardHold, Contents, Event, HoldBy, Presence
from flashdeck.open_enum import OpenEnum
from flashdeck.problems import ProblemKind, condition, counts, problems
from flashdeck.words.boards import board_text, presence_word
from flashdeck.words.builds import disposition_text
from flashdeck.words.contents import contents_text
from flashdeck.words.jobs import (
    LONGEST_STATE,
    claim_text,
    origin_text,
    phase_word,
    status_detail,
    status_hint,
    status_text,
    status_word,
)
from job_states import EVERY, RESULT
from tui_scene import board, job


def enums() -> set[type]:
    """Every enum that a message can have in it."""

    def within(kind: inspect.Type) -> Iterator[type]:
        match kind:
            case inspect.EnumType(cls):
                yield cls
            case inspect.StructType(cls, fields) if cls not in seen:
                seen.add(cls)
                for field in fields:
                    yield from within(field.type)
            case inspect.UnionType(types):
                for each in types:
                    yield from within(each)
            case inspect.VarTupleType(item) | inspect.ListType(item):
                yield from within(item)
            case _:
                pass

    seen: set[type] = set()
    messages = [*METHODS.values(), *map(rpc.result_type, METHODS.values()), Event, rpc.ErrorObject]
    return {each for message in messages for each in within(inspect.type_info(message))}


def test_every_enum_of_the_wire_may_grow() -> None:
    found = enums()
    assert {Phase, WaitFor, Verified, Canceller, Origin, Presence, Disposition, HoldBy, ErrorKind} <= found
    for each in found:
        assert issubclass(each, OpenEnum), each
        assert each("of a later release") is each["OTHER"]


@pytest.mark.parametrize("member", [*Phase, *Presence, *Origin, *Disposition, *ErrorKind, *DeviceWork])
def test_every_member_has_its_words(member: OpenEnum) -> None:
    match member:
        case Phase():
            assert phase_word(member)
        case DeviceWork():
            claim = TimeClaim(work=member, seconds=1, waits=1)
            assert claim_text(Running(phase=Phase.OPEN, since=0, answered_at=0, claim=claim))
        case Presence():
            assert presence_word(member).text
        case Origin():
            assert origin_text(member)
        case Disposition():
            assert disposition_text(member, "why").endswith(": why")
        case _:
            assert EXIT_CODES[ErrorKind(member)]


@pytest.mark.parametrize(
    "status",
    [
        *EVERY,
        Running(phase=Phase.OTHER, since=0, answered_at=0),
        Waiting(for_=WaitFor.OTHER, reason="the moon is not up"),
        Cancelled(by=Canceller.OTHER),
        Done(result=replace(RESULT, verified=Verified.OTHER)),
        Unknown(),
        Unknown(name="resting", text="resting until noon"),
    ],
)
def test_every_state_has_its_words(status: JobStatus) -> None:
    state = job(1, status=status, origin=Origin.OTHER)
    assert status_word(status).text
    assert status_text(status)
    assert isinstance(status_detail(status) + status_hint(status), str)
    assert outcome.exit_code([outcome.failure_of(state)]) in ExitCode
    assert condition(board(), [state]) in ProblemKind
    assert sum(counts([board()], [state]).values()) == 1


def test_the_name_of_a_state_of_a_later_release_is_cut_for_its_column() -> None:
    word = status_word(Unknown(name="\x1b[31m" + "x" * 10_000)).text
    assert len(word) == LONGEST_STATE
    assert "\x1b" not in word


def test_what_stands_in_never_passes_for_a_known_member() -> None:
    assert "hand" not in origin_text(Origin.OTHER)
    assert "verified" not in status_text(Done(result=replace(RESULT, verified=Verified.OTHER))).split(", ")
    contents = Contents(sha256="0", size=1, flashed_at=0, verified=Verified.OTHER, job=1)
    assert "not read back" in contents_text(contents, plain=False).text
    on_hold = board(presence=Presence.OTHER, hold=BoardHold(reason="it rains", by=HoldBy.OTHER))
    assert board_text(on_hold) == "unknown; on hold: it rains"


def test_a_state_of_a_later_release_that_needs_a_person_is_a_problem() -> None:
    status = Unknown(name="resting", text="resting until you wake it")
    needing = job(1, status=status, needs_person=True)
    (found,) = problems([board()], [needing])
    assert (found.kind, found.text) == (ProblemKind.BLOCKED, "resting until you wake it")
    assert problems([board()], [job(1, status=status)]) == []
