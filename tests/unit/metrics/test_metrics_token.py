"""The token that the numbers are given for is one that only our user can read."""

from pathlib import Path

import pytest

from flashdeck.errors import FlashdeckError
from flashdeckd.metrics.metrics_token import LONGEST_TOKEN, SHORTEST_TOKEN, TOKEN_NAME, kept_token


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    token = kept_token(tmp_path)
    file = tmp_path / TOKEN_NAME
    assert file.read_text() == f"{token}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN
    assert kept_token(tmp_path) == token
    file.unlink()
    assert kept_token(tmp_path) != token


@pytest.mark.parametrize("length", [SHORTEST_TOKEN, LONGEST_TOKEN])
def test_somebody_s_own_is_taken(length: int, tmp_path: Path) -> None:
    file = tmp_path / TOKEN_NAME
    file.write_text("t" * length)
    file.chmod(0o600)
    assert kept_token(tmp_path) == "t" * length


@pytest.mark.parametrize(
    "said",
    [
        "",
        "\n",
        "t" * (SHORTEST_TOKEN - 1),
        "t" * (LONGEST_TOKEN + 1),
        "two words of a token",
        "line\nline of a token",
        "ä" * 40,
    ],
)
def test_what_is_none_is_told(said: str, tmp_path: Path) -> None:
    file = tmp_path / TOKEN_NAME
    file.write_text(said)
    file.chmod(0o600)
    with pytest.raises(FlashdeckError, match="has no token") as refused:
        kept_token(tmp_path)
    assert "makes another one" in refused.value.hint
    assert file.read_text() == said


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_one_that_others_can_read_or_write_is_not_used(mode: int, tmp_path: Path) -> None:
    file = tmp_path / TOKEN_NAME
    file.write_text("t" * LONGEST_TOKEN)
    file.chmod(mode)
    with pytest.raises(FlashdeckError, match="not yours alone"):
        kept_token(tmp_path)


def test_a_link_or_a_directory_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("t" * LONGEST_TOKEN)
    elsewhere.chmod(0o600)
    (tmp_path / TOKEN_NAME).symlink_to(elsewhere)
    with pytest.raises(FlashdeckError, match="cannot be read"):
        kept_token(tmp_path)
    (tmp_path / TOKEN_NAME).unlink()
    (tmp_path / TOKEN_NAME).mkdir(mode=0o700)
    with pytest.raises(FlashdeckError, match="cannot be read"):
        kept_token(tmp_path)
