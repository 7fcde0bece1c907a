"""JUnit's XML, as GitLab, Jenkins and the actions of GitHub read it: a test case a board. Pure.

They know a case by `classname` and `name`, take the text of `failure` or `error` for its reason, and what is in
`system-out` for its output. One character that XML 1.0 does not have makes them refuse the whole file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 does not have (2.2)."""
_GAP: Final = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitProblem:
    """The reason why a case did not pass."""

    kind: str
    message: str
    hint: str = ""
    is_failure: bool = True
    """False: it could not be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitCase:
    """A test case."""

    name: str
    seconds: float = 0.0
    problem: JUnitProblem | None = None
    output: Sequence[str] = ()
    """Lines that it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitSuite:
    """The test cases of one run."""

    name: str
    stamp: str
    """Its beginning, as ISO 8601 has it."""
    host: str
    cases: Sequence[JUnitCase]


def junit_xml(suite: JUnitSuite) -> bytes:
    """Return a file with one suite."""
    problems = [case.problem for case in suite.cases if case.problem is not None]
    counts = {
        "name": _text(suite.name),
        "tests": str(len(suite.cases)),
        "failures": str(sum(problem.is_failure for problem in problems)),
        "errors": str(sum(not problem.is_failure for problem in problems)),
        "skipped": "0",
        "time": _seconds(sum(case.seconds for case in suite.cases)),
    }
    root = Element("testsuites", counts)
    element = SubElement(root, "testsuite", {**counts, "timestamp": suite.stamp, "hostname": _text(suite.host)})
    for case in suite.cases:
        _add(element, suite.name, case)
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _add(suite: Element, name: str, case: JUnitCase) -> None:
    element = SubElement(
        suite, "testcase", {"classname": _text(name), "name": _text(case.name), "time": _seconds(case.seconds)}
    )
    if (problem := case.problem) is not None:
        tag = "failure" if problem.is_failure else "error"
        told = SubElement(element, tag, {"message": _text(problem.message), "type": _text(problem.kind)})
        told.text = _text("\n".join(filter(None, (problem.message, problem.hint))))
    if case.output:
        SubElement(element, "system-out").text = _text("\n".join(case.output))


def _text(text: str) -> str:
    return _NO_XML.sub(_GAP, text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
