"""From an image file to the image: what the file says about one partition. Bytes in, values out.

A raw binary, as a linker's `objcopy -O binary` writes it, is an image as it is, to be flashed from the first address of
its partition. Files of other formats say themselves where their bytes belong, and DFU files which device they are for;
both is checked against the partition.
"""

from pathlib import PurePath

from flashdeck.config import Partition, Profile
from flashdeck.errors import RefusedError
from flashdeck.text import clean
from flashdeckd.images.flattening import flattened_before
from flashdeckd.images.formats import only_raw, recognised
from flashdeckd.images.image import Image
from flashdeckd.images.placement import Parsed, place
from flashdeckd.images.segments import FileContents, Segment

__all__ = ["Parsed", "flattened_before", "parse", "parse_for"]


def parse(name: str, data: bytes) -> Image:
    """Return the image in a raw binary called `name` (used for its ending and in messages only).

    Raises RefusedError for a file that is empty or no raw binary; message and hint say what it is, and how to get a raw
    binary out of it.
    """
    return Image.raw(only_raw(in_words(name), data))


def parse_for(name: str, data: bytes, profile: Profile, partition: Partition) -> Parsed:
    """Return what a file of any format says about `partition` of `profile`.

    Whether that belongs there is for the guards to say; a raw binary may even be larger than the partition. Raises
    RefusedError for a file that is broken, empty or of a format that is not taken, and where its own addresses or USB
    ids are not those of the partition and its profile.
    """
    shown = in_words(name)
    reader = recognised(shown, data)
    if partition.alternate is not None and reader.has_addresses:
        raise RefusedError(
            f"{shown} is a file of format {reader.format.title}, which says where its bytes belong, and partition "
            f"{partition.name} is alternate setting {partition.alternate}, which has no address to check that against",
            hint="name the raw binary that the build writes, or make one with objcopy -O binary",
        )
    read = reader.read(shown, data, profile)
    if isinstance(read, FileContents):
        return place(shown, read, profile, partition)
    return raw_for(shown, read, profile, partition)


def raw_for(shown: str, data: bytes, profile: Profile, partition: Partition) -> Parsed:
    """Return what the bytes of a raw binary are in a partition; raises RefusedError as `place` does."""
    if partition.base is not None:
        return place(shown, FileContents((Segment(partition.base, data),)), profile, partition)
    return Parsed(Image.raw(data))


def in_words(name: str) -> str:
    """Return a file's name as messages have it."""
    return clean(PurePath(name).name or name) or "the file"
