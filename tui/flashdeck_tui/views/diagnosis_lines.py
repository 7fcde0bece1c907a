"""The doctor's findings as lines for a person. Pure."""

from collections.abc import Iterator
from typing import Final

from flashdeck.diagnosis import BoardReport, Diagnosis, Finding, Severity
from flashdeck.text import clean, counted
from flashdeck.words.boards import presence_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.views.cells import short_name, whole_text

_TONES: Final = {
    Severity.ERROR: Tone.BAD,
    Severity.WARNING: Tone.WAIT,
    Severity.NOTE: Tone.STRONG,
    Severity.GOOD: Tone.GOOD,
    Severity.OTHER: Tone.STRONG,
}


def diagnosis_lines(diagnosis: Diagnosis) -> list[Phrase]:
    """Return each finding with what it means and how to mend it, the gravest of a board first."""
    lines: list[Phrase] = []
    for report in diagnosis.boards:
        lines += [Phrase(""), *_board(report)] if lines else _board(report)
    if lines:
        lines.append(Phrase(""))
    lines.append(Phrase("this installation", Tone.STRONG))
    for finding in diagnosis.installation:
        lines += _finding(finding)
    if not diagnosis.installation:
        lines.append(Phrase("  nothing is wrong", Tone.GOOD))
    return lines


def summary(diagnosis: Diagnosis) -> str:
    """Return what was found, in numbers."""
    findings = [*diagnosis.installation, *(each for report in diagnosis.boards for each in report.findings)]
    numbers = [
        counted(sum(each.severity is severity for each in findings), severity.value)
        for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    ]
    return ", ".join(numbers)


def _board(report: BoardReport) -> Iterator[Phrase]:
    looked = f"{counted(report.requests, 'request')}, nothing erased or written" if report.requests else "not opened"
    where = presence_word(report.presence).text
    yield Phrase(f"{short_name(report.board)}: {short_name(report.profile)}, {where} ({looked})", Tone.STRONG)
    if report.failure is not None:
        hint = f": {report.failure.hint}" if report.failure.hint else ""
        yield Phrase(whole_text(f"  could not be looked at: {report.failure.message}{hint}"), Tone.BAD)
    for severity in Severity:
        for each in report.findings:
            if each.severity is severity:
                yield from _finding(each)
    for fact in report.facts:
        yield Phrase(whole_text(f"  {clean(fact.name)}: {fact.value}"), Tone.FAINT)
    for each in report.explanations:
        yield Phrase(whole_text(f'  STM32CubeProgrammer says "{each.message}": {each.meaning}'))


def _finding(finding: Finding) -> Iterator[Phrase]:
    yield Phrase(f"  {finding.severity.value}: {clean(finding.code)}", _TONES[finding.severity])
    yield Phrase(whole_text(f"    seen: {finding.seen}"))
    yield Phrase(whole_text(f"    means: {finding.means}"))
    if finding.mend:
        yield Phrase(whole_text(f"    mend: {finding.mend}"), Tone.STRONG)
