"""`flashdeck doctor`: what a board's bootloader does, what it means and how to mend it."""

import shutil
import sys
from collections.abc import Iterator

import click

from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis, Fact, Finding, Severity, exit_code
from flashdeck.errors import ConnectionFailedError, ExitCode
from flashdeck.text import MAX_MESSAGE, clean, counted
from flashdeck_tui.cell_width import cell_width, padded
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.commands.boards import device_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.daemon_program import answer_of, without_daemon
from flashdeck_tui.cli.output import Colour, is_terminal, paint, put, put_json
from flashdeck_tui.cli.remote import asked_hosts

_COLOURS = {
    Severity.ERROR: Colour.BAD,
    Severity.WARNING: Colour.WARNING,
    Severity.NOTE: Colour.STRONG,
    Severity.GOOD: Colour.GOOD,
    Severity.OTHER: Colour.STRONG,
}
_NARROWEST = 40
"""Columns below which nothing is wrapped any further."""


@click.command()
@live_options.any_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> ExitCode:
    """Look at boards and at this installation, and say what is odd, what it means and how to mend it.

    BOARD is a name or a glob; without one, all boards. Erases and writes nothing: states, descriptors, the memory map,
    and a few short reads inside the partitions. Without a daemon it runs 'flashdeckd doctor' itself.

    Exits with 0 whatever it found, and with another code where a board that was named could not be looked at.
    """
    diagnosis = _ask(boards)
    if as_json:
        put_json(diagnosis)
    else:
        put("\n\n".join(_sections(diagnosis)))
    return exit_code(diagnosis, named=bool(boards))


def _ask(boards: tuple[str, ...]) -> Diagnosis:
    try:
        return ask(api.Examine(boards=boards), join=many_hosts.diagnoses)
    except ConnectionFailedError as error:
        without_daemon(error)
        return answer_of(Diagnosis, "doctor", "--", *boards)


def _sections(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.installation:
        lines = [_installation(), *(line for each in diagnosis.installation for line in _finding(each))]
        yield "\n".join(lines)
    for report in diagnosis.boards:
        yield "\n".join(_board(report))
    if not diagnosis.boards and diagnosis.failure is None:
        yield "no boards configured"
    if diagnosis.devices:
        yield device_table(diagnosis.devices)


def _installation() -> str:
    several = len(asked_hosts(click.get_current_context())) > 1
    return "these installations" if several else "this installation"


def _board(report: BoardReport) -> Iterator[str]:
    looked = f"{counted(report.requests, 'request')}, nothing erased or written" if report.requests else "not opened"
    title = clean(f"{report.board}: {report.profile}, {report.presence}")
    yield f"{paint(title, Colour.STRONG, sys.stdout)} ({looked})"
    if report.failure is not None:
        hint = f": {report.failure.hint}" if report.failure.hint else ""
        yield from _paragraph("  could not be looked at: ", report.failure.message + hint)
    yield from _facts(report.facts)
    for severity in Severity:
        for each in report.findings:
            if each.severity is severity:
                yield from _finding(each)
    if report.explanations:
        yield "  what ST's STM32CubeProgrammer means, on this board"
    for each in report.explanations:
        yield from _paragraph("    ", f'"{each.message}"')
        yield from _paragraph("      ", each.meaning)


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    width = max((cell_width(clean(fact.name)) for fact in facts), default=0)
    for fact in facts:
        yield from _paragraph(f"  {padded(clean(fact.name), width)}  ", fact.value)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {paint(finding.severity.value, _COLOURS[finding.severity], sys.stdout)}: {clean(finding.code)}"
    yield from _paragraph("    seen:  ", finding.seen)
    yield from _paragraph("    means: ", finding.means)
    if finding.mend:
        yield from _paragraph("    mend:  ", finding.mend)


def _paragraph(head: str, text: str) -> list[str]:
    """`text` behind `head`, wrapped on a terminal and never cut; one line into a pipe or a file."""
    whole = clean(text, MAX_MESSAGE)
    if not is_terminal(sys.stdout):
        return [head + whole]
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    return wrapped(whole, width, first=head, rest=" " * cell_width(head)) or [head.rstrip()]
