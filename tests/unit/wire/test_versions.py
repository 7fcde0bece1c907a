"""Versions of what flashdeck runs on."""

from importlib import metadata

import pytest

from flashdeck.diagnosis import Fact
from flashdeck.versions import software


def facts() -> dict[str, str]:
    return {fact.name: fact.value for fact in software()}


def test_every_package_of_the_extras_is_named_with_its_version() -> None:
    found = facts()
    assert found["msgspec"] == metadata.version("msgspec")
    assert found["textual"] == metadata.version("textual")
    assert found["pyusb"] == metadata.version("pyusb")
    assert "ruff" not in found


def test_a_package_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(_name: str) -> list[str]:
        return ["no-such-package>=1; extra == 'tui'"]

    monkeypatch.setattr(metadata, "requires", requires)
    assert software()[-1] == Fact(name="no-such-package", value="not installed")


def test_sources_that_are_not_installed_still_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(_name: str) -> list[str]:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", requires)
    assert set(facts()) == {"flashdeck", "python", "kernel", "system"}


def test_a_system_s_name_can_not_carry_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    def release() -> dict[str, str]:
        return {"ID": "evil", "PRETTY_NAME": "\x1b[31mred"}

    monkeypatch.setattr("flashdeck.versions.platform.freedesktop_os_release", release)
    assert "\x1b" not in facts()["system"]
