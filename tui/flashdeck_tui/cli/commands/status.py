"""`flashdeck status`: the bench at a glance: how many boards are well, then what is not, then the rest."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
from msgspec.structs import asdict

from flashdeck import api
from flashdeck.client import Client
from flashdeck.controller_load import controller_lines
from flashdeck.errors import ExitCode
from flashdeck.model import BoardState, PartitionState, Snapshot
from flashdeck.problems import Problem, counts, problems
from flashdeck.slot_condition import SlotFailed, SlotWaiting
from flashdeck.text import MAX_MESSAGE, clean
from flashdeck.words.conditions import condition_word, counts_text
from flashdeck.words.configuration import configuration_text
from flashdeck.words.contents import contents_name, contents_state
from flashdeck.words.partitions import build_state
from flashdeck.words.troubles import trouble_lines
from flashdeck_tui.cli import many_hosts, options, words
from flashdeck_tui.cli.answers import OtherDaemon, Status, StatusOfHosts
from flashdeck_tui.cli.commands.boards import board_table, device_table
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import each_answer, other_daemons
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.cli.unit_table import lot_table, slot_table


@dataclass(frozen=True, slots=True)
class _StatusSeen:
    """The state of one daemon, where it was asked, and the others that could have been."""

    snapshot: Snapshot
    socket: str
    others: tuple[OtherDaemon, ...]


@click.command()
@click.option("--check", is_flag=True, help="Exit with 10 where something needs a person.")
@options.as_json
def command(*, check: bool, as_json: bool) -> ExitCode:
    """Show how many boards are well, then what needs a person, then the boards, what is on them, and the queue."""
    looks = each_answer(_look)
    snapshots = {host: look.snapshot for host, look in looks.items()}
    if as_json:
        answers = {host: _answer(look) for host, look in looks.items()}
        put_json(answers[""] if "" in answers else StatusOfHosts(hosts=answers))
    else:
        put("\n\n".join(_sections(snapshots, looks)))
    return ExitCode.SOME_FAILED if check and any(map(_needs_person, snapshots.values())) else ExitCode.OK


def _problems(snapshot: Snapshot) -> list[Problem]:
    slots = {board.name for board in snapshot.boards if board.slot}
    return problems(_boards(snapshot), [job for job in snapshot.jobs if job.board not in slots])


def _boards(snapshot: Snapshot) -> tuple[BoardState, ...]:
    """Return the boards that are no slots: those have a table of their own, and an empty one lacks nothing."""
    return tuple(board for board in snapshot.boards if not board.slot)


def _needs_person(snapshot: Snapshot) -> bool:
    waits = [slot.condition for slot in snapshot.slots if isinstance(slot.condition, SlotWaiting)]
    has_failed = any(isinstance(slot.condition, SlotFailed) for slot in snapshot.slots)
    is_stuck = has_failed or any(condition.needs_person for condition in waits)
    return bool(_problems(snapshot) or snapshot.daemon.degraded) or is_stuck


async def _look(client: Client) -> _StatusSeen:
    snapshot, socket = await client.call(api.GetStatus()), client.where
    return _StatusSeen(snapshot, socket, tuple(other_daemons(socket)) if socket.startswith("/") else ())


def _answer(look: _StatusSeen) -> Status:
    snapshot = look.snapshot
    return Status(
        **asdict(snapshot),
        counts=counts(_boards(snapshot), snapshot.jobs),
        problems=tuple(_problems(snapshot)),
        socket=look.socket,
        others=look.others,
    )


def _sections(snapshots: Mapping[str, Snapshot], looks: Mapping[str, _StatusSeen]) -> list[str]:
    """Return what there is to say of one daemon, or of those of several machines together."""
    boards = many_hosts.each(snapshots.items(), _boards, many_hosts.mark_board)
    jobs = many_hosts.each(snapshots.items(), lambda each: each.jobs, many_hosts.mark_job)
    devices = many_hosts.each(snapshots.items(), lambda each: each.devices, many_hosts.mark_device)
    daemons = "\n".join(_daemon(look, host) for host, look in looks.items())
    slots = many_hosts.each(snapshots.items(), lambda each: each.slots, many_hosts.mark_slot)
    lots = many_hosts.each(snapshots.items(), lambda each: each.lots, many_hosts.mark_lot)
    sections = [f"{counts_text(counts(boards, jobs), [slot.condition for slot in slots])}\n{daemons}"]
    slot_names = {slot.name for slot in slots}
    if found := problems(boards, [job for job in jobs if job.board not in slot_names]):
        sections.append(_problem_table(found))
    if slots:
        sections.append(slot_table(slots))
    if lots:
        sections.append(lot_table(lots))
    if boards:
        sections += [board_table(boards), _contents_table(boards)]
    if devices:
        sections.append(device_table(devices))
    queue = [job for job in jobs if not job.is_settled]
    sections.append(job_table(queue) if queue else "nothing queued")
    return sections


def _other(daemon: OtherDaemon) -> str:
    if daemon.virtual:
        return f"also running: a virtual bench on {daemon.socket} (flashdeck --virtual)"
    return f"also running: flashdeckd on {daemon.socket} (flashdeck --socket {shlex.quote(daemon.socket)})"


def _daemon(look: _StatusSeen, host: str) -> str:
    daemon = look.snapshot.daemon
    virtual = ", virtual boards" if daemon.virtual else ""
    since = words.ago(daemon.started_at)
    lines = [f"flashdeckd {daemon.version} on {daemon.host}, process {daemon.pid}, started {since}{virtual}"]
    if look.socket.startswith("/"):
        lines[0] += f", on {look.socket}"
    lines += map(_other, look.others)
    if daemon.configuration is not None:
        lines.append(f"configuration {configuration_text(daemon.configuration, time.time())}")
    lines += controller_lines(look.snapshot.controllers)
    lines += [f"degraded: {line}" for line in trouble_lines(daemon, time.time())]
    return "\n".join(clean(f"{host}: {line}" if host else line, MAX_MESSAGE) for line in lines)


def _problem_table(found: Sequence[Problem]) -> str:
    rows: list[list[str | Cell]] = [
        [
            problem.board,
            problem.partition or words.NOTHING,
            words.cell(condition_word(problem.kind)),
            f"{problem.text} ({problem.hint})" if problem.hint else problem.text,
        ]
        for problem in found
    ]
    return table(["BOARD", "PARTITION", "PROBLEM", "DETAIL"], rows)


def _contents_table(boards: Sequence[BoardState]) -> str:
    rows = [
        [board.name, partition.name, *_contents_cells(partition)] for board in boards for partition in board.partitions
    ]
    lines = [table(["BOARD", "PARTITION", "VERSION", "VERIFIED", "FLASHED"], rows)]
    partitions = [partition for board in boards for partition in board.partitions]
    if any(partition.contents is not None and partition.contents.uncertain for partition in partitions):
        lines.append("uncertain: another serial or bcdDevice was seen since, or a job was cut short; flash it again")
    troubles = {
        (board.profile, partition.name): trouble
        for board in boards
        for partition in board.partitions
        if (trouble := partition.kept_open or partition.trouble)
    }
    lines += [clean(f"{name} of {profile}: {trouble}") for (profile, name), trouble in troubles.items()]
    if any(partition.offered for partition in partitions):
        lines.append("'flashdeck flash PARTITION' takes what is offered")
    return "\n".join(lines)


def _contents_cells(partition: PartitionState) -> list[str | Cell]:
    contents = partition.contents
    if contents is None:
        cells: list[str | Cell] = [words.NOTHING, words.NOTHING]
        when = "protected" if partition.protected else contents_state(None).text
    else:
        cells = [contents_name(contents), words.verified(contents)]
        when = words.ago(contents.flashed_at)
    if partition.trouble or partition.being_written or partition.offered:
        when += f"; {build_state(partition, None).text}"
    return [*cells, when]
