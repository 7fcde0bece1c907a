"""The configuration in words."""

import pytest

from flashdeck.errors import ConfigError
from flashdeck.model import ConfigurationState
from flashdeck.words.configuration import LONGEST_REFUSAL, configuration_text, refusal_text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ConfigurationState(files=("/c.toml",), read_at=100.0), "/c.toml, read 5 s ago"),
        (ConfigurationState(files=("/c.toml", "/a", "/b"), read_at=105.0), "/c.toml and 2 more, read 0 s ago"),
        (
            ConfigurationState(files=("/c.toml", "/a"), read_at=200.0, changed=True),
            "/c.toml and 1 more, read 0 s ago; changed since",
        ),
        (
            ConfigurationState(files=(), read_at=100.0, changed=True, refused="x"),
            "no file, read 5 s ago; a newer one was refused",
        ),
    ],
)
def test_it_says_which_files_and_since_when(state: ConfigurationState, text: str) -> None:
    assert configuration_text(state, 105.0) == text


def test_one_mistake_is_told_as_it_is() -> None:
    assert refusal_text(ConfigError("c.toml: wrong", hint="right")) == "c.toml: wrong: right"


@pytest.mark.parametrize("more", [0, 1])
def test_of_many_mistakes_as_many_are_told_as_fit(more: int) -> None:
    length = 98
    count = (LONGEST_REFUSAL + 2) // (length + 2)
    parts = [ConfigError(f"{number:02} {'x' * (length - 3)}") for number in range(count + more)]
    text = refusal_text(ConfigError.of(parts))
    assert text.startswith(f"{count + more} mistakes: 00 x")
    assert f"{count - 1:02} x" in text
    assert text.endswith("; and 1 more") is bool(more)


def test_one_mistake_of_many_that_is_too_long_is_told_all_the_same() -> None:
    text = refusal_text(ConfigError.of([ConfigError("a" * 2 * LONGEST_REFUSAL), ConfigError("b")]))
    assert "aaa" in text
    assert text.endswith("; and 1 more")
