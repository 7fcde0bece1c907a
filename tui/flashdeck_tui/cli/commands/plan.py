"""`flashdeck plan`: what a flash would do."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click

from flashdeck import api
from flashdeck.api import BoardPlan, PlanList, PlanStep
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck.text import clean, format_size, short_sha
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.image import read_image, send_image
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.cli.words import address

_WITHOUT_BYTES = frozenset({"leave"})
"""Steps whose address is where the device is to jump, not a piece of flash that is touched."""


@click.command()
@click.argument("partition", type=options.name)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@options.boards
@options.as_json
def command(*, partition: str, file: Path | None, boards: tuple[str, ...], as_json: bool) -> ExitCode:
    """Show what flashing FILE (.bin, .hex, .elf or .dfu), or the newest build, would do. Writes nothing.

    Exits with 13 where it would not start on any of the boards.
    """
    data = read_image(file) if file is not None else None

    async def work(client: Client) -> PlanList:
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        return await client.call(api.Plan(partition=partition, sha256=sha256, boards=boards))

    reply = converse(work)
    if as_json:
        put_json(reply)
    else:
        put("\n\n".join(map(_text, reply.plans)))
    return ExitCode.HELD if reply.plans and all(plan.blocked for plan in reply.plans) else ExitCode.OK


def _text(plan: BoardPlan) -> str:
    lines = [clean(f"{plan.board}: {short_sha(plan.sha256)} into {plan.partition}")]
    if plan.blocked:
        lines.append(clean(f"would not start: {plan.blocked}"))
    if plan.steps:
        lines.append(table(["STEP", "COUNT", "FROM", "TO", "SIZE", "NOTE"], list(_rows(plan.steps))))
        lines.append(f"{plan.erases} erases, {plan.blocks} blocks, {plan.requests} requests")
    if plan.protection:
        lines.append(clean(f"protection: {plan.protection}"))
    lines += [clean(f"note: {note}") for note in plan.notes]
    return "\n".join(lines)


def _rows(steps: Sequence[PlanStep]) -> Iterator[list[str | Cell]]:
    for (action, note), run in folded(steps):
        first, last = run[0], run[-1]
        size = 0 if action in _WITHOUT_BYTES else sum(step.size for step in run)
        where = [address(first.address), address(last.address + last.size - 1)] if size else ["", ""]
        yield [
            action,
            Cell(str(len(run)), right=True),
            *where,
            Cell(format_size(size) if size else "", right=True),
            note,
        ]


def folded(steps: Sequence[PlanStep]) -> Iterator[tuple[tuple[str, str], list[PlanStep]]]:
    """Runs of steps that do the same at adjoining addresses."""
    for key, same in groupby(steps, key=lambda step: (step.action, step.note)):
        run: list[PlanStep] = []
        for step in same:
            if run and step.address != run[-1].address + run[-1].size:
                yield key, run
                run = []
            run.append(step)
        yield key, run
