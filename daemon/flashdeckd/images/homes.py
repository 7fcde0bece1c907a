"""The partitions that a file belongs to by what it says itself: its addresses, or a raw binary's vector table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from flashdeck.config import Partition, PartitionKind, Profile
from flashdeck.errors import ErrorKind, FlashdeckError, RefusedError
from flashdeck.names import few
from flashdeckd.images.formats import recognised
from flashdeckd.images.guards import is_program_for
from flashdeckd.images.parsing import in_words, raw_for
from flashdeckd.images.placement import Parsed, place, places, whole_image
from flashdeckd.images.segments import FileContents


@dataclass(frozen=True, slots=True)
class Home:
    """A partition, and what a file has for it."""

    partition: Partition
    parsed: Parsed


def homes(name: str, data: bytes, profile: Profile) -> tuple[Home, ...]:
    """Return the partitions of a profile that a file belongs to, in the order of the configuration; at least one.

    A file with addresses belongs to every partition that it has bytes for. Each of them has to take it, so that nothing
    of it is left out without a word of the configuration. A raw binary belongs where its vector table says that it is
    linked for, if that is proved, and for one place only.

    Raises RefusedError: it belongs nowhere, or to what is protected. FlashdeckError (`ambiguous`): it does not say.
    """
    shown = in_words(name)
    read = recognised(shown, data).read(shown, data, profile)
    if isinstance(read, FileContents):
        return _by_addresses(shown, read, profile)
    return _by_vector_table(shown, read, profile)


def _by_addresses(shown: str, contents: FileContents, profile: Profile) -> tuple[Home, ...]:
    whole = whole_image(shown, contents)
    touched = [each for each in _with_addresses(profile) if whole.touches(each.span)]
    open_ = [each for each in touched if not each.protected]
    if touched and not open_:
        raise _protected(f"{shown} has bytes for {few([each.name for each in touched])}", touched)
    if not open_:
        raise RefusedError(
            f"{shown} has nothing for any partition of {profile.name}; it has bytes for "
            f"{places(whole.pieces, profile)}",
            hint="look at which product it was built for, or name the partition",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )
    return tuple(Home(each, place(shown, contents, profile, each)) for each in open_)


def _by_vector_table(shown: str, data: bytes, profile: Profile) -> tuple[Home, ...]:
    programs = [each for each in _with_addresses(profile) if each.holds is PartitionKind.PROGRAM]
    found = [home for home in (_as_program(shown, data, profile, each) for each in programs) if home is not None]
    protected = [home.partition for home in found if home.partition.protected]
    if protected:
        raise _protected(f"{shown} is linked for {few([each.name for each in protected])}", protected)
    if len(found) == 1:
        return tuple(found)
    named = [each.name for each in profile.partitions.values() if not each.protected]
    if found:
        why = f"and could be a program for {few([home.partition.name for home in found])}"
    else:
        why = "and its vector table proves no place"
    raise FlashdeckError(
        f"{shown} has no addresses, {why}",
        hint=f"name the partition before the file: {few(named)}; or give a file with addresses (.elf, .hex)",
        kind=ErrorKind.AMBIGUOUS,
    )


def _as_program(shown: str, data: bytes, profile: Profile, partition: Partition) -> Home | None:
    """Return what a raw binary has for a partition, if it is proved to be a program for it."""
    try:
        parsed = raw_for(shown, data, profile, partition)
    except RefusedError:
        return None
    return Home(partition, parsed) if is_program_for(parsed.image, profile, partition) else None


def _with_addresses(profile: Profile) -> list[Partition]:
    return [each for each in profile.partitions.values() if each.alternate is None]


def _protected(problem: str, partitions: Sequence[Partition]) -> RefusedError:
    are = "is" if len(partitions) == 1 else "are"
    return RefusedError(
        f"{problem}, which {are} protected",
        kind=ErrorKind.PROTECTED,
        hint="is this the right file? What is protected is decided by the configuration alone",
    )
