import re
from pathlib import Path

import pytest

RULES = sorted((Path(__file__).parents[3] / "config" / "udev").glob("*.rules"))
TOKEN = re.compile(r'([A-Z]+(?:\{\w+\})?)\s*(==|!=|\+=|=)\s*"([^"]*)"\s*(?:,\s*|$)')

Rule = list[tuple[str, str, str]]


def parse(text: str) -> list[Rule]:
    """The rules of a udev file; a line that is no rule from its first to its last character is an AssertionError."""
    rules: list[Rule] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        tokens = list(TOKEN.finditer(line))
        assert "".join(token.group(0) for token in tokens) == line, f"not a udev rule: {line}"
        rules.append([(token[1], token[2], token[3]) for token in tokens])
    return rules


def granting(rules: list[Rule]) -> list[Rule]:
    return [rule for rule in rules if any(key in ("TAG", "GROUP", "MODE") for key, *_ in rule)]


def test_there_is_one_for_the_desktop_and_one_for_headless_machines() -> None:
    assert [file.name for file in RULES] == ["70-flashdeck-group.rules", "70-flashdeck-uaccess.rules"]


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_every_line_is_a_rule_and_jumps_have_a_label(file: Path) -> None:
    rules = parse(file.read_text())
    jumps = {value for rule in rules for key, _, value in rule if key == "GOTO"}
    labels = [value for rule in rules for key, _, value in rule if key == "LABEL"]
    assert jumps == set(labels)
    assert len(labels) == 1


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_access_is_given_to_named_devices_only_and_never_to_everybody(file: Path) -> None:
    # The commented examples are meant to be used: they have to be as good.
    examples = "\n".join(line[1:] for line in file.read_text().splitlines() if line.startswith("#ATTR"))
    grants = granting(parse(file.read_text())) + granting(parse(examples))
    assert len(grants) >= 2
    for rule in grants:
        matched = {key: value for key, operator, value in rule if operator == "=="}
        assert re.fullmatch("[0-9a-f]{4}", matched["ATTR{idVendor}"])
        assert re.fullmatch("[0-9a-f]{4}", matched["ATTR{idProduct}"])
        given = {(key, value) for key, operator, value in rule if operator != "=="}
        if "uaccess" in file.name:
            assert given == {("TAG", "uaccess")}
        else:
            assert given == {("GROUP", "plugdev"), ("MODE", "0660")}


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_the_bootloader_of_st_is_in_it(file: Path) -> None:
    rule = granting(parse(file.read_text()))[0]
    assert rule[:2] == [("ATTR{idVendor}", "==", "0483"), ("ATTR{idProduct}", "==", "df11")]


def test_the_desktop_rule_comes_before_systemd_acts_on_its_tag() -> None:
    assert all(int(file.name[:2]) < 73 for file in RULES)
