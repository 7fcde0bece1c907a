"""A partition of a board as the flash engine needs it. Pure."""

from flashdeck.config import Board, Holds, Partition, Profile
from flashdeckd.flash.target import AddressTarget, AlternateTarget, Target


def target_of(board: Board, partition: Partition, *, may_read: bool = True) -> Target:
    """Return all that the engine must know to flash `partition`; `may_read` forbids every UPLOAD where it is false."""
    profile = board.profile
    if partition.alternate is not None:
        return AlternateTarget(
            partition=partition.name,
            setting=partition.alternate,
            size=partition.span.size,
            verify=profile.verify,
            holds=partition.holds,
            leave=profile.leave,
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
        program=_program_beside(profile, partition),
        leave=profile.leave,
        may_read=may_read,
    )


def _program_beside(profile: Profile, partition: Partition) -> int | None:
    """Return where the chip's program begins, for a partition of data: nothing starts from there."""
    if partition.holds is Holds.PROGRAM:
        return None
    programs = (each.span.start for each in profile.partitions.values() if each.holds is Holds.PROGRAM)
    return min(programs, default=None)
