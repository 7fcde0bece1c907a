"""A partition of a board as the flash engine needs it. Pure."""

from collections.abc import Iterable

from flashdeck.config import Board, Partition, PartitionKind, Profile
from flashdeck.errors import RequestError
from flashdeckd.flash.target import AddressTarget, AlternateTarget, Target


def target_of(
    board: Board, partition: Partition, *, may_read: bool = True, with_others: Iterable[Partition] = ()
) -> Target:
    """Return what the engine has to know to flash `partition`; `may_read` forbids every UPLOAD where it is false.

    `with_others` are the partitions that are started by the same leave: that names the lowest program of all.
    """
    profile = board.profile
    if partition.alternate is not None:
        return AlternateTarget(
            partition=partition.name,
            setting=partition.alternate,
            size=partition.span.size,
            verify=profile.verify,
            holds=partition.holds,
            leave=profile.leave,
            poll=profile.poll,
            may_read=may_read,
        )
    return AddressTarget(
        partition=partition.name,
        span=partition.span,
        geometry=profile.geometry,
        protected=profile.protected,
        map=profile.map,
        erase=profile.erase,
        verify=profile.verify,
        poll=profile.poll,
        banks=profile.banks,
        holds=partition.holds,
        program=_program_to_start(profile, partition, with_others),
        leave=profile.leave,
        may_read=may_read,
    )


def target_to_start(board: Board) -> Target:
    """Return the target of a leave behind which nothing new was flashed: the chip's first program is started.

    Raises RequestError where the profile has no partition.
    """
    profile = board.profile
    partitions = profile.partitions.values()
    if not partitions:
        raise RequestError(f"the profile {profile.name} of board {board.name} has no partition to be started")
    reached = next((each for each in partitions if not each.protected), next(iter(partitions)))
    return target_of(board, reached, with_others=partitions)


def _program_to_start(profile: Profile, partition: Partition, others: Iterable[Partition]) -> int | None:
    """Return where a program begins that is to be started instead of this partition; None where that is the one.

    Nothing starts from data, so that the chip's first program is started there.
    """
    written = [each.span.start for each in (partition, *others) if each.holds is PartitionKind.PROGRAM]
    programs = written or [
        each.span.start for each in profile.partitions.values() if each.holds is PartitionKind.PROGRAM
    ]
    lowest = min(programs, default=None)
    return None if lowest == partition.span.start else lowest
