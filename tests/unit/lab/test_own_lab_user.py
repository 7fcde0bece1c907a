"""The user of a lab for whom a command speaks: named as labgrid's own programs name the one who runs them."""

import getpass
import socket

import pytest

from flashdeck import own_lab_user as module
from flashdeck.own_lab_user import HOST_VARIABLE, USER_VARIABLE, labgrid_user, own_lab_user

HERE = f"{socket.gethostname()}/{getpass.getuser()}"


def test_the_user_is_the_one_that_labgrid_names() -> None:
    for user in (labgrid_user, own_lab_user):
        assert user({}) == HERE
        assert user({HOST_VARIABLE: "desk", USER_VARIABLE: "ann"}) == "desk/ann"


@pytest.mark.parametrize("name", ["two words", "a/b", "\x1b[31m", "x" * 500])
def test_a_command_speaks_for_nobody_where_its_name_is_none_of_a_lab(name: str) -> None:
    assert own_lab_user({HOST_VARIABLE: name, USER_VARIABLE: "ann"}) == ""
    assert own_lab_user({HOST_VARIABLE: "desk", USER_VARIABLE: name}) == ""


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_an_account_without_a_name_speaks_for_nobody(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(module, "getuser", nobody)
    assert own_lab_user({}) == ""
    assert own_lab_user({USER_VARIABLE: "ann", HOST_VARIABLE: "desk"}) == "desk/ann"
