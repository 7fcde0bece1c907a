"""`flashdeck plan`: what a flash would do."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from flashdeck.api import BoardPlan, PartitionPlace, PlanList, PlanStep
from flashdeck.async_bench import AsyncBench
from flashdeck.client import Client
from flashdeck.errors import ExitCode, RequestError
from flashdeck.flash_map import FlashMap
from flashdeck.model import PartitionState
from flashdeck.text import clean, counted, format_size, short_sha
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.named_target import NamedTarget, explained, named, tell_placed
from flashdeck_tui.cli.output import is_terminal, one_line, paint, put, put_json
from flashdeck_tui.cli.remote import boards_here
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.cli.words import address, cell
from flashdeck_tui.locale_text import shows_only_ascii
from flashdeck_tui.map_page import drawn_map
from flashdeck_tui.plan_steps import WITHOUT_BYTES, folded


@click.command(epilog=f"{options.FILES}\n\n{options.PLACED}")
@live_options.partition_or_file
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@click.option("--erase", is_flag=True, help="Show what 'erase' would do instead.")
@options.as_json
def command(*, target: str, file: Path | None, boards: tuple[str, ...], erase: bool, as_json: bool) -> ExitCode:
    """Show what flashing FILE, or the newest build, would do. Writes nothing.

    Exits with 13 where it would not start on any of the boards.
    """
    if erase and file is not None:
        raise RequestError("an erase takes no file", hint="leave out FILE, or --erase")
    wanted = NamedTarget.of(target, file, boards)

    async def work(client: Client) -> PlanList:
        bench = AsyncBench(client, tell_placed=tell_placed)
        if erase:
            return PlanList(plans=await bench.plan_erase(target, boards=boards_here(boards)))
        with explained(wanted):
            partition, image = await named(bench, wanted)
            return PlanList(plans=await bench.plan(partition, image, boards=boards_here(boards)))

    return put_plans(converse(work, join=many_hosts.plans), as_json=as_json)


def put_plans(reply: PlanList, *, as_json: bool) -> ExitCode:
    """Print plans; returns BLOCKED where none of them would start."""
    if as_json:
        put_json(reply)
    else:
        put("\n\n".join(map(_text, reply.plans)))
    return ExitCode.BLOCKED if reply.plans and all(plan.blocked for plan in reply.plans) else ExitCode.OK


def _text(plan: BoardPlan) -> str:
    what = f"{short_sha(plan.sha256)} into" if plan.sha256 else "erase"
    lines = [clean(f"{plan.board}: {what} {plan.partition}")]
    if plan.blocked:
        lines.append(_sentence(f"would not start: {plan.blocked}"))
    if plan.map is not None and plan.map.runs:
        lines += _map(plan.map, plan.places)
    if plan.steps:
        lines.append(table(["STEP", "COUNT", "FROM", "TO", "SIZE", "ON ERROR"], list(_rows(plan.steps))))
        lines.append(_costs(plan))
    if plan.protection:
        lines.append(_sentence(f"protection: {plan.protection}"))
    lines += [_sentence(f"note: {note}") for note in plan.notes]
    return "\n".join(lines)


def _map(shown: FlashMap, places: Sequence[PartitionPlace]) -> Iterator[str]:
    """Yield the flash sector by sector, as the screen draws it, in the width of the terminal."""
    partitions = [PartitionState(name=each.name, address=each.address, size=each.size) for each in places]
    as_ascii = shows_only_ascii(os.environ)
    for line in drawn_map(shown, partitions, shutil.get_terminal_size().columns):
        drawn = "".join(paint(one_line(each.text), cell(each).colour, sys.stdout) for each in line)
        yield (to_ascii(drawn) if as_ascii else drawn).rstrip()


def _costs(plan: BoardPlan) -> str:
    counts = ((plan.erases, "erase"), (plan.blocks, "block"), (plan.requests, "request"))
    words = [counted(count, what) for count, what in counts]
    words[-1] += " (more where a busy board is asked again)"
    if plan.unchanged:
        words.append(f"{format_size(plan.unchanged)} left alone")
    return ", ".join(words)


def _sentence(text: str) -> str:
    """`text`, on a terminal in lines that fit into it."""
    whole = one_line(text)
    if not is_terminal(sys.stdout):
        return whole
    width = shutil.get_terminal_size().columns
    return "\n".join(wrapped(whole, width, rest="  ", breaks_words=False))


def _rows(steps: Sequence[PlanStep]) -> Iterator[list[str | Cell]]:
    for run, pieces in folded(steps):
        first, last = run[0], run[-1]
        size = 0 if first.action in WITHOUT_BYTES else sum(step.size for step in run)
        where = [address(first.address), address(last.address + last.size - 1)] if size else ["", ""]
        yield [
            first.action if pieces == 1 else f"{first.action} ({pieces} pieces)",
            Cell(str(len(run)), right=True),
            *where,
            Cell(format_size(size) if size else "", right=True),
            first.note,
        ]
