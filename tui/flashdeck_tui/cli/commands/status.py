"""`flashdeck status`: the daemon and its bench."""

import click

from flashdeck import api
from flashdeck.model import BoardState, DaemonState, Snapshot
from flashdeck.text import clean
from flashdeck.words import contents_name
from flashdeck_tui.cli import options, words
from flashdeck_tui.cli.commands.boards import board_table, device_table
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.table import Cell, table


@click.command()
@options.as_json
def command(*, as_json: bool) -> None:
    """Show the daemon, the boards and what is on them, and the queue."""
    snapshot = ask(api.GetStatus())
    if as_json:
        put_json(snapshot)
        return
    put("\n\n".join(_sections(snapshot)))


def _sections(snapshot: Snapshot) -> list[str]:
    sections = [_daemon(snapshot.daemon)]
    if snapshot.boards:
        sections += [board_table(snapshot.boards), _contents(snapshot.boards)]
    else:
        sections.append("no boards configured")
    if snapshot.devices:
        sections.append(device_table(snapshot.devices))
    queue = [job for job in snapshot.jobs if not job.status.ended]
    sections.append(job_table(queue) if queue else "nothing queued")
    return sections


def _daemon(daemon: DaemonState) -> str:
    virtual = ", virtual boards" if daemon.virtual else ""
    since = words.ago(daemon.started_at)
    lines = [f"flashdeckd {daemon.version} on {daemon.host}, process {daemon.pid}, started {since}{virtual}"]
    lines += [f"degraded: {part}" for part in daemon.degraded]
    return "\n".join(map(clean, lines))


def _contents(boards: tuple[BoardState, ...]) -> str:
    rows: list[list[str | Cell]] = []
    for board in boards:
        for partition in board.partitions:
            row: list[str | Cell] = [board.name, partition.name]
            contents = partition.contents
            if contents is not None:
                row += [
                    contents_name(contents),
                    words.verified(contents),
                    words.ago(contents.flashed_at),
                ]
            else:
                row += [words.NOTHING, words.NOTHING, "protected" if partition.protected else "never flashed here"]
            if partition.trouble:
                row[-1] = f"{row[-1]}; the newest build can not be taken"
            elif partition.settling:
                row[-1] = f"{row[-1]}; a build is settling"
            elif partition.offered:
                row[-1] = f"{row[-1]}; a new image is offered"
            rows.append(row)
    lines = [table(["BOARD", "PARTITION", "VERSION", "VERIFIED", "FLASHED"], rows)]
    partitions = [partition for board in boards for partition in board.partitions]
    if any(partition.contents is not None and partition.contents.disturbed for partition in partitions):
        lines.append("in doubt: another serial or bcdDevice was seen since, or a job was cut short; a flash makes sure")
    troubles = {
        (board.profile, partition.name): partition.trouble
        for board in boards
        for partition in board.partitions
        if partition.trouble
    }
    lines += [clean(f"{name} of {profile}: {trouble}") for (profile, name), trouble in troubles.items()]
    if any(partition.offered for partition in partitions):
        lines.append("'flashdeck flash PARTITION' takes what is offered")
    return "\n".join(lines)
