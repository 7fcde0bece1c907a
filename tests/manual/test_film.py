"""The recording of a terminal as one picture."""

import re
import socket
from xml.etree import ElementTree as ET

from manual.pages import DOCS
from manual_site.film import Frame, film

MOST = 1_000_000
"""Bytes of a picture that somebody may have to fetch over a telephone."""
_NAME = "{http://www.w3.org/2000/svg}"
RED = "\x1b[31mred\x1b[0m"


def drawn(*frames: Frame, still: int = 0) -> str:
    return film(frames, columns=10, lines=3, still=still, title="A <title>")


def test_each_line_is_drawn_once_and_each_frame_says_where_it_is() -> None:
    top = ET.fromstring(drawn(Frame("one\ntwo", 1), Frame("two\none", 1), Frame("two\nthree", 1)))  # noqa: S314 - ours
    lines = ["".join(each.itertext()) for each in top.findall(f".//{_NAME}defs/{_NAME}g")]
    assert lines == ["one", "two", "three"]
    shown = [[use.get("href") for use in frame.iter(f"{_NAME}use")] for frame in top.findall(f"./{_NAME}g/{_NAME}g")]
    assert shown == [["#l0", "#l1"], ["#l1", "#l0"], ["#l1", "#l2"]]


def test_each_frame_has_its_time() -> None:
    text = drawn(Frame("one", 1), Frame("two", 3), still=1)
    assert "animation:play 4s steps(1,end) infinite" in text
    assert re.findall(r"([\d.]+)%\{", text) == ["0.000", "25.000", "100"]
    assert re.findall(r"#film\{transform:translate\((.+?)px\)", text) == ["-108"], "the still one, for less motion"


def test_colours_and_odd_letters_come_through_and_nothing_else_does() -> None:
    text = drawn(Frame(f"a <b> & {RED} \x1b[44mon blue\x1b[0m", 1, "said & done"))
    ET.fromstring(text)  # noqa: S314 - ours
    assert ">a &lt;b&gt; &amp;</text>" in text
    assert ">said &amp; done</text>" in text
    assert "\x1b" not in text


def test_a_line_that_is_too_long_does_not_reach_into_the_next_frame() -> None:
    assert ">0123456789</text>" in drawn(Frame("0123456789abc", 1))


def test_the_pictures_are_small_and_say_nothing_of_the_machine_that_made_them() -> None:
    pictures = sorted(DOCS.glob("*.svg"))
    assert [path.name for path in pictures] == ["demo.svg", "tui.svg"]
    for path in pictures:
        text = path.read_text()
        ET.fromstring(text)  # noqa: S314 - ours
        assert len(text.encode()) < MOST
        assert f" on {socket.gethostname()} " not in text
        fetched = re.findall(r"(?:href=|src=|url\()['\"]?([^'\")]+)", text)
        assert [each for each in fetched if not each.startswith("#")] == []
