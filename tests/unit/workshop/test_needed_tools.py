"""A test that needs a program which is not there skips, and where CI says that all are there it fails."""

import pytest

from needed_tools import need


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_program_is_named_with_its_package(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    need("sh", packages="dash")
    with pytest.raises(outcome, match=r"no-such-program .*apt install nothing"):
        need("sh", "no-such-program", packages="nothing")
