"""The state of one board, as everybody sees it, from all that it is made of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck.config import Board, Partition
from flashdeck.model import (
    ArtifactState,
    BoardHold,
    BoardLease,
    BoardState,
    ConsoleState,
    Contents,
    Disposition,
    PartitionState,
)
from flashdeck.text import MAX_PATH, clean
from flashdeck.words.boards import board_text
from flashdeckd.usb.recognition import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFacts:
    """The facts of one partition of a board."""

    contents: Contents | None = None
    newest: ArtifactState | None = None
    """The newest build for it."""
    is_current: bool = False
    """True if the partition has every byte of the newest build."""
    has_job: bool = False
    """True if there is a job that brings the newest build; or there was, and the board did not go back from it, nor was
    the partition erased since."""
    is_being_written: bool = False
    kept_open: str = ""
    """The program that has had its image's file open for writing for long, in a sentence; "" for none."""
    trouble: str = ""
    """The reason why the file at its image's path cannot be taken; "" for none."""


def board_state(
    board: Board,
    sighting: Sighting,
    partitions: Mapping[str, PartitionFacts],
    *,
    hold: BoardHold | None,
    lease: BoardLease | None,
    armed: bool,
    once: bool,
    doubts: tuple[str, ...],
    away: str,
    controller: str = "",
    console: ConsoleState | None = None,
) -> BoardState:
    """Return what a board is.

    `doubts` are what was found against the bootloader that it shows, `away` is why it is off the bus, `controller` is
    where it is plugged in.
    """
    device = sighting.device
    state = BoardState(
        name=board.name,
        profile=board.profile.name,
        presence=sighting.presence,
        serial=device.serial if device else board.serial,
        port=device.name if device else board.port,
        controller=controller,
        product=device.product if device else "",
        hold=hold,
        lease=lease,
        armed=armed,
        once=once,
        adopted=board.pins is not None,
        trouble=sighting.trouble,
        doubts=doubts,
        away=away,
        console=console,
        slot=board.slot is not None,
        partitions=tuple(_partition_state(each, partitions[each.name]) for each in board.profile.partitions.values()),
    )
    return replace(state, text=board_text(state))


def _partition_state(partition: Partition, facts: PartitionFacts) -> PartitionState:
    newest = facts.newest
    if newest is not None and newest.disposition is Disposition.REFUSED:
        newest = None
    is_offered = newest is not None and not facts.is_current and not facts.has_job
    return PartitionState(
        name=partition.name,
        address=partition.span.start,
        size=partition.span.size,
        alternate="" if partition.alternate is None else str(partition.alternate),
        protected=partition.protected,
        auto=partition.auto,
        image=clean(partition.image, MAX_PATH),  # its directory need not have a name in UTF-8
        being_written=facts.is_being_written,
        kept_open=facts.kept_open,
        contents=facts.contents,
        offered=newest.sha256 if newest is not None and is_offered else "",
        current=newest is not None and facts.is_current,
        trouble=facts.trouble,
    )
