"""`flashdeck init --yes`: what is not clear is an error that says which option answers it, and with what."""

from pathlib import Path

import pytest

from first_steps_rig import Talk, device, facts
from flashdeck.errors import ErrorKind, RequestError
from flashdeck_tui.first_steps.board_choice import port_of
from flashdeck_tui.first_steps.person import Absent


def said(talk: Talk) -> str:
    with pytest.raises(RequestError) as caught:
        Absent().answers(talk.asked())
    assert caught.value.kind is ErrorKind.AMBIGUOUS
    return f"{caught.value.message}; {caught.value.hint}"


def test_answers_that_only_a_person_can_give_are_not_listed(tmp_path: Path) -> None:
    boards = said(Talk(facts(tmp_path, device("1-1"), device("1-2"))))
    assert "port 1-2" in boards
    assert "--device" in boards
    assert "plug it in" not in boards


def test_an_answer_without_a_number_says_what_it_stands_for(tmp_path: Path) -> None:
    chips = said(Talk(facts(tmp_path, builds=facts(tmp_path).builds)))
    assert "STM32H563xG" in chips
    assert "(16*8K@0x08000000, 112*8K)" in chips or "(128*8K@0x08000000)" in chips
    assert "--chip" in chips


def test_a_serial_that_several_devices_have_is_answered_with_their_ports(tmp_path: Path) -> None:
    twins = facts(tmp_path, device("1-1", serial="S"), device("1-2", serial="S"))
    with pytest.raises(RequestError, match="several devices are 'S'") as caught:
        port_of(twins, "S")
    assert caught.value.hint == "name its port: 1-1, 1-2"
