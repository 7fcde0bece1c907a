import re
from pathlib import Path

import pytest

(FILE,) = (Path(__file__).parents[3] / "config" / "udev").glob("*.rules")
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


# The commented examples are meant to be used: they have to be as good.
USED = parse(FILE.read_text().replace("#SUBSYSTEM==", "SUBSYSTEM=="))
GRANTS = [rule for rule in USED if any(key in ("TAG", "GROUP", "MODE") for key, *_ in rule)]


def test_every_line_is_a_rule_and_jumps_have_a_label() -> None:
    rules = parse(FILE.read_text())
    jumps = {value for rule in rules for key, _, value in rule if key == "GOTO"}
    assert jumps == {value for rule in rules for key, _, value in rule if key == "LABEL"}
    assert len(jumps) == 1


@pytest.mark.parametrize("rule", GRANTS, ids=lambda rule: " ".join(value for *_, value in rule[:4]))
def test_access_is_given_to_named_devices_only_and_never_to_everybody(rule: Rule) -> None:
    matched = {key: value for key, operator, value in rule if operator == "=="}
    ids = [value for key, value in matched.items() if key.startswith("ATTR")]
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{4}", each) for each in ids)
    given = {(key, value) for key, operator, value in rule if operator != "=="}
    if matched["SUBSYSTEM"] == "tty":
        assert given == {("TAG", "uaccess")}  # its group is the one that others use it by
    else:
        assert matched["ENV{DEVTYPE}"] == "usb_device"
        group = {("GROUP", "plugdev"), ("MODE", "0660")}
        assert given == {("TAG", "uaccess"), *group, ("ENV{ID_MM_DEVICE_IGNORE}", "1")}


def test_the_bootloader_of_st_is_in_it_and_both_kinds_of_examples() -> None:
    first = {key: value for key, _, value in GRANTS[0]}
    assert (first["ATTR{idVendor}"], first["ATTR{idProduct}"]) == ("0483", "df11")
    assert [rule[0] for rule in GRANTS[1:]] == [("SUBSYSTEM", "==", "usb"), ("SUBSYSTEM", "==", "tty")]


def test_it_comes_before_systemd_acts_on_its_tag() -> None:
    assert int(FILE.name[:2]) < 73
