"""Machines that are asked at once: who is named while the others go on, and who is tried again."""

import asyncio

import pytest

from asked_times import asked_times
from flashdeck.errors import ConnectionFailedError, FlashdeckError, RequestError
from flashdeck_tui.cli.asked_together import LATE_SECONDS, AskedTogether, all_hints, with_host

CUT = ConnectionFailedError("b does not answer", hint="is it on?")


async def test_a_machine_that_does_not_answer_is_named_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = asked_times(monkeypatch)
    together = AskedTogether(("a", "b", "c"))
    together.reached("a")
    together.failed("b", CUT)
    assert capsys.readouterr().err == "", "what is told at the end is not told in the first seconds"
    await together.tell_late()
    assert asked.naps == [LATE_SECONDS]
    assert capsys.readouterr().err.splitlines() == [
        "error: b does not answer",
        "hint: is it on?",
        "c: has not answered yet",
    ]
    assert not together.untold("b")
    assert together.untold("c")
    together.failed("c", RequestError("there is no board x"))
    assert capsys.readouterr().err == "error: c: there is no board x\n", "from then on at once"


async def test_one_that_is_away_at_first_is_tried_again_where_another_one_is_there() -> None:
    together = AskedTogether(("a", "b"))
    tried = asyncio.create_task(together.is_worth_another_try("b"))
    await asyncio.sleep(0)
    assert not tried.done(), "a may still come"
    together.reached("a")
    assert await tried


async def test_where_none_is_there_none_is_tried_again() -> None:
    together = AskedTogether(("a", "b", "c"))
    both = [asyncio.create_task(together.is_worth_another_try(host)) for host in ("a", "b")]
    await asyncio.sleep(0)
    together.failed("c", FlashdeckError("not let in"))
    assert await asyncio.gather(*both) == [False, False]


@pytest.mark.parametrize(
    ("host", "error", "told"),
    [
        ("b", CUT, "b does not answer"),
        ("does", CUT, "does not answer"),
        ("lab", RequestError("there is no board lab"), "lab: there is no board lab"),
        ("lab", ConnectionFailedError("the label is wrong"), "lab: the label is wrong"),
        ("lab", ConnectionFailedError("the key of lab.example is odd"), "lab: the key of lab.example is odd"),
    ],
)
def test_an_error_names_its_machine_once(host: str, error: FlashdeckError, told: str) -> None:
    assert told in with_host(host, error)
    assert with_host(host, error).count(f"{host}: ") <= 1


def test_hints_that_are_the_same_are_told_once() -> None:
    same = [("a", FlashdeckError("x", hint="look")), ("b", FlashdeckError("y", hint="look"))]
    assert all_hints(same) == "look"
    assert all_hints([*same, ("c", FlashdeckError("z", hint="wait")), ("d", FlashdeckError("z"))]) == (
        "a: look; b: look; c: wait"
    )
