"""The file that `flashdeck run --junit` writes: whatever a board says, it is XML that everybody can read."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from flashdeck_tui.cli.junit import JUnitCase, JUnitProblem, JUnitSuite, junit_xml
from junit_file import read_junit

STAMP = "2026-03-02T13:05:04+00:00"


def read(*cases: JUnitCase, name: str = "flashdeck run app1") -> ET.Element:
    return read_junit(junit_xml(JUnitSuite(name=name, stamp=STAMP, host="bench", cases=cases)))


def test_a_case_a_board_with_its_time_its_reason_and_what_it_said() -> None:
    root = read(
        JUnitCase(name="left", seconds=1.25, output=("app1 1.0.7", "PASS")),
        JUnitCase(
            name="right", seconds=2.0, problem=JUnitProblem(kind="crashed", message='it said "<&>"', hint="look")
        ),
        JUnitCase(name="lab", problem=JUnitProblem(kind="held", message="it is on hold", is_failure=False)),
    )
    (suite,) = root
    counts = {"tests": "3", "failures": "1", "errors": "1", "skipped": "0", "time": "3.250"}
    for element in (root, suite):
        assert {name: element.get(name) for name in counts} == counts
    assert (root.tag, suite.get("timestamp"), suite.get("hostname")) == ("testsuites", STAMP, "bench")
    left, right, lab = suite
    assert (left.get("classname"), left.get("name"), left.get("time")) == ("flashdeck run app1", "left", "1.250")
    assert [child.tag for child in left] == ["system-out"]
    assert left.findtext("system-out") == "app1 1.0.7\nPASS"
    (failure,) = right
    assert (failure.tag, failure.get("type"), failure.get("message")) == ("failure", "crashed", 'it said "<&>"')
    assert failure.text == 'it said "<&>"\nlook'
    assert [child.tag for child in lab] == ["error"]


@given(st.text(st.characters()), st.lists(st.text(st.characters()), max_size=5))
def test_no_text_can_spoil_it(text: str, lines: list[str]) -> None:
    problem = JUnitProblem(kind=text, message=text, hint=text)
    (suite,) = read(JUnitCase(name=text, problem=problem, output=lines), name=text)
    assert len(suite) == 1


def test_what_xml_does_not_have_is_marked() -> None:
    (suite,) = read(JUnitCase(name="left", output=("\x1b[31mred\x00 \ud800 \ufffe \x85 \U0001f600\ttab",)))
    assert suite.findtext("testcase/system-out") == (
        "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} "
        "\N{REPLACEMENT CHARACTER} \x85 \U0001f600\ttab"
    )
