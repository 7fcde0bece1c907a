"""The line of each table and key of a TOML file."""

import tomllib
from typing import Any, cast

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.toml.line_numbers import MAX_DEPTH, LineNumbers

TEXT = '''\
# a comment with [brackets] = and { braces }
include = ["a", # one
  "b]"]
when = 1979-05-27 07:32:00.5Z

[profiles.product] # [not.this]
dfu = "0483:df11"
"a.\\u0062" = """
[no.table]
key = 1
"""""
'c "d"' = \'\'\'
enter = 2\'\'\'
enter = { command = ["x", "{y}"], more.deep = 1, last = [] }
flash . "chip" = 1.5
[profiles.product.partitions.app1]
guards = [
  "reset",
  { crc = "crc32", at = 4 },
  { crc = "crc16-xmodem", at = 8 },
]
[[boards]]
name = 1
[[boards]]

name = 2
[boards.more]
key = 1'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("include",), 2),
        (("when",), 4),
        (("profiles",), 6),
        (("profiles", "product"), 6),
        (("profiles", "product", "dfu"), 7),
        (("profiles", "product", "a.b"), 8),
        (("profiles", "product", 'c "d"'), 12),
        (("profiles", "product", "enter"), 14),
        (("profiles", "product", "enter", "command"), 14),
        (("profiles", "product", "enter", "more", "deep"), 14),
        (("profiles", "product", "flash", "chip"), 15),
        (("profiles", "product", "partitions"), 16),
        (("profiles", "product", "partitions", "app1", "guards"), 17),
        (("profiles", "product", "partitions", "app1", "guards item 2", "at"), 19),
        (("profiles", "product", "partitions", "app1", "guards item 3"), 20),
        (("profiles", "product", "partitions", "app1", "guards item 3", "at"), 20),
        (("boards", "name"), 23),
        (("boards item 2", "name"), 26),
        (("boards item 2", "more", "key"), 28),
        # what is not there has the line of the table around it
        (("profiles", "product", "seriel"), 6),
        (("profiles", "product", "partitions", "app1", "size"), 16),
        (("no", "table"), 0),
        ((), 0),
    ],
)
def test_the_line_of_a_path(path: tuple[str, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert LineNumbers(TEXT).of(*path) == line
    assert LineNumbers(TEXT.replace("\n", "\r\n")).of(*path) == line


@pytest.mark.parametrize(("names", "line"), [(MAX_DEPTH, 3), (MAX_DEPTH + 1, 1)])
def test_a_path_has_a_line_up_to_so_many_names(names: int, line: int) -> None:
    """The line of one that is longer is that of the table around it."""
    *table, key = [f"n{number}" for number in range(names)]
    assert LineNumbers(f"[{'.'.join(table)}]\nother = 1\n{key} = {{ inner = 1 }}\n").of(*table, key) == line


def test_a_table_of_a_thousand_names_is_read() -> None:
    deep = ".".join("a" * 1000)
    assert LineNumbers(f"[{deep}]\nb = {{ c = 1 }}\n{deep}.d = 1\n").of("a", "b") == 1


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.floats(allow_nan=False) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@given(tables=st.dictionaries(names, values, max_size=4), multiline=st.booleans())
def test_every_key_of_any_file_is_found_on_its_line(*, tables: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps({**tables, "the": {"last": {"key": 1}}}, multiline_strings=multiline)
    assert tomllib.loads(text)["the"] == {"last": {"key": 1}}
    lines = LineNumbers(text)
    rows = text.split("\n")
    assert rows[lines.of("the", "last", "key") - 1] == "key = 1"
    for name, value in tables.items():
        line = lines.of(name)
        assert line > 0
        if not isinstance(value, dict | list):
            assert "=" in rows[line - 1]
            assert tomllib.loads(rows[line - 1].partition(" = ")[0] + " = 1") == {name: 1}
        for inner in cast("dict[str, Any]", value if isinstance(value, dict) else {}):
            assert lines.of(name, inner) > 0


@given(text=st.text(alphabet="[]{}=.,'\"#\n\\ab ", max_size=60))
def test_any_text_at_all_ends(text: str) -> None:
    assert LineNumbers(text).of("a") >= 0
