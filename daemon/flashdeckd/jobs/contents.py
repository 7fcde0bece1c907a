"""The contents of a partition: the sum of all that was written into it. Pure.

The newest image lies over what earlier ones left. What was erased for an image and is not part of it is 0xFF. What is
not known satisfies nothing.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from flashdeck.config import PartitionKind
from flashdeck.geometry import Range, joined
from flashdeck.job_state import Verified
from flashdeck.model import Contents, JobState, Layer, Patch
from flashdeckd.flash.banks import unproved_banks
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.comparison import difference
from flashdeckd.flash.target import AddressTarget, Target
from flashdeckd.images.image import BLANK, NOTHING, Image, Piece
from flashdeckd.usb.device import UsbDevice

MAX_LAYERS = 16
"""Images that the bytes of one partition are known from; of older ones nothing is known any more."""
MAX_PATCHES = 16
"""Patches that are listed with a program, the newest."""

ImageOf = Callable[[str], Image | None]
"""The image of a SHA-256; None where nobody has it any more."""


def known_bytes(contents: Contents | None, target: Target, image_of: ImageOf) -> Image:
    """Return the bytes that a partition is known to have."""
    known = NOTHING
    for layer in reversed(_known_layers(contents, target)):
        erased = _ranges(layer.erased)
        below = known.without(erased)
        image = image_of(layer.sha256) if layer.sha256 else NOTHING
        if image is None:  # it may have been laid over anything
            known = NOTHING
        elif layer.sha256 or layer.blank:
            blank = Image(tuple(Piece(span.start, bytes([BLANK]) * span.size) for span in erased))
            known = image.over(blank.over(below))
        else:
            known = below
    return known


def sparing_written(
    target: Target, history: BootloaderHistory, contents: Contents | None, device: UsbDevice, image_of: ImageOf
) -> Target:
    """Return the target of a flash which knows the sectors that hold what this device was flashed with.

    What was erased since, or lost what it had, is not among them, and neither is what an image has as 0xFF. Blocks
    where `image_of` does, which is asked only where a canary may come.
    """
    if not isinstance(target, AddressTarget) or not unproved_banks(target, history):
        return target
    if contents is None or not is_of(contents, device):
        return target
    layers, known, start = _known_layers(contents, target), known_bytes(contents, target, image_of), target.span.start
    places = {sector: Range(sector.start - start, sector.end - start) for sector in target.sectors}
    return dataclasses.replace(
        target, written=tuple(sector for sector, place in places.items() if _is_written(place, layers, known))
    )


def _is_written(sector: Range, layers: Sequence[Layer], known: Image) -> bool:
    """Tell whether a sector has anything but 0xFF; also where its image is not there any more, and so not known."""
    parts = known.within(sector).pieces
    if any(piece.data.strip(bytes([BLANK])) for piece in parts):
        return True
    newest = next((each for each in layers if any(span.overlaps(sector) for span in _ranges(each.erased))), None)
    return newest is not None and bool(newest.sha256) and not known.covers(sector)


def demanded(image: Image, target: Target) -> Image:
    """Return what a flash of `image` sees to: the image, or with `erase = "partition"` the whole partition."""
    return Image.raw(image.read(Range(0, target.span.size))) if target.erases_all else image


def is_patch(image: Image, target: Target) -> bool:
    """Tell whether `image` is laid over the program that is there, and does not replace it."""
    return target.holds is PartitionKind.PROGRAM and not image.is_program


def begun(
    before: Contents | None, job: JobState, erased: Sequence[Range], *, made: Contents, target: Target
) -> Contents:
    """Return what a partition has from the first erase of `job` on: nothing is known of `erased` (from its start).

    `made` is what is to be said of it once the job's image is there.
    """
    lost = Layer(sha256="", erased=_places(erased))
    layers = (lost, *_left_layers(before, job, target))[:MAX_LAYERS]
    if not job.patch:
        patches = () if before is None or before.uncertain else before.patches
        return replace(made, complete=False, layers=layers, patches=patches)
    if before is None:
        return replace(made, sha256="", size=0, version="", job=0, complete=False, layers=layers)
    return replace(before, layers=layers)  # the program is what it was, but for what the patch erases


def is_begun(contents: Contents, job: JobState) -> bool:
    """Tell whether a job has begun to change what a partition has, and was not done with it."""
    if job.patch:
        return bool(contents.layers) and not contents.layers[0].sha256 and not contents.layers[0].blank
    return contents.job == job.id and not contents.complete


def is_of(contents: Contents, device: UsbDevice) -> bool:
    """Tell whether a device shows the serial and bcdDevice of the one that was flashed."""
    return (contents.serial, contents.bcd_device) == (device.serial, device.bcd_device)


def flashed(
    before: Contents | None,
    job: JobState,
    erased: Sequence[Range],
    *,
    made: Contents,
    target: Target,
    image_of: ImageOf,
) -> Contents:
    """Return what a partition has once the image of `job` is there, `erased` (from its start) having been erased."""
    spans = (Range(0, target.span.size),) if target.erases_all else tuple(erased)
    written = Layer(sha256=job.sha256, erased=_places(spans))
    layers = _uncovered((written, *_left_layers(before, job, target)), image_of)[:MAX_LAYERS]
    made = replace(made, layers=layers)
    others = _still_there(before, made, target, image_of) if target.holds is PartitionKind.PROGRAM else ()
    if not job.patch:
        return replace(made, patches=others)
    patch = Patch(sha256=job.sha256, size=job.size, version=job.version, flashed_at=made.flashed_at, job=job.id)
    patches = (patch, *(each for each in others if each.sha256 != job.sha256))[:MAX_PATCHES]
    if before is None or not before.sha256:
        return replace(made, sha256="", size=0, version="", patches=patches)
    return replace(
        made,
        sha256=before.sha256,
        size=before.size,
        version=before.version,
        complete=before.complete,
        verified=before.verified,
        uncertain=before.uncertain,
        patches=patches,
    )


def erased(made: Contents, target: Target) -> Contents:
    """Return what a partition has once all of it was erased by hand."""
    layer = Layer(sha256="", erased=((0, target.span.size),), blank=True)
    return replace(made, complete=True, erased=True, layers=(layer,), patches=())


def erase_begun(before: Contents | None, lost: Sequence[Range], *, made: Contents, target: Target) -> Contents:
    """Return what a partition has from the first erase by hand on: nothing is known of `lost` (from its start)."""
    known = () if before is not None and before.uncertain else _known_layers(before, target)
    layers = (Layer(sha256="", erased=_places(lost)), *known)[:MAX_LAYERS]
    return replace(made, complete=False, erased=True, layers=layers, patches=())


def compared(before: Contents, known: Image, read: Image, target: Target, *, proved: bool) -> Contents:
    """Return what is to be said of a partition that was `read`; `known` are the bytes that it had as far as was known.

    Where reading is `proved`, and all that was known was read and is there, that is verified. Bytes that are not there
    make the contents uncertain; on proved reading nothing is known any more of their sectors. All offsets count from
    the partition's start.
    """
    found = difference(known, read)
    if found is None:
        is_all = (
            proved and before.complete and bool(known.pieces) and all(read.covers(each.span) for each in known.pieces)
        )
        return replace(before, verified=Verified.YES, uncertain=False) if is_all else before
    layers = before.layers
    if proved:
        wrong = target.touched(Image(tuple(Piece(span.start, b"?" * span.size) for span in found.places)))
        layers = (Layer(sha256="", erased=_places(wrong)), *_known_layers(before, target))[:MAX_LAYERS]
    return replace(before, verified=Verified.NO, uncertain=True, layers=layers)


def distrusted(contents: Contents) -> Contents:
    """Return what is left of a contents whose bytes were read back, and are not what was written: nothing is known."""
    return replace(contents, complete=False, layers=())


def _still_there(before: Contents | None, after: Contents, target: Target, image_of: ImageOf) -> tuple[Patch, ...]:
    """Return the patches of `before` that were not overwritten."""
    if before is None or not before.patches:
        return ()
    known = known_bytes(after, target, image_of)
    images = ((patch, image_of(patch.sha256)) for patch in before.patches)
    return tuple(patch for patch, image in images if image is not None and known.satisfies(image))


def _known_layers(contents: Contents | None, target: Target) -> tuple[Layer, ...]:
    """Return the layers, also of what an older release recorded: it erased as its profile said, and told nobody."""
    if contents is None:
        return ()
    if contents.layers:
        return contents.layers
    whole = ((0, target.span.size),) if target.erases_all else ()
    return (Layer(sha256=contents.sha256 if contents.complete else "", erased=whole),)


def _uncovered(layers: Sequence[Layer], image_of: ImageOf) -> tuple[Layer, ...]:
    """Return the layers of which there is still something to be seen."""
    kept: list[Layer] = []
    cover: tuple[Range, ...] = ()
    for layer in layers:
        image = image_of(layer.sha256) if layer.sha256 else NOTHING
        erased = _ranges(layer.erased)
        if image is None:
            kept.append(layer)
            cover = joined((*cover, *erased))
            continue
        extent = joined((*erased, *(piece.span for piece in image.pieces)))
        if not all(any(span.covers(part) for span in cover) for part in extent):
            kept.append(layer)
        cover = joined((*cover, *extent))
    return tuple(kept)


def _left_layers(before: Contents | None, job: JobState, target: Target) -> tuple[Layer, ...]:
    """Return the layers that stay known below the image of a job.

    Under a program that comes over uncertain contents there are none: they stop being uncertain with it. A patch leaves
    them as uncertain as they were.
    """
    return () if before is not None and before.uncertain and not job.patch else _known_layers(before, target)


def _ranges(places: Iterable[tuple[int, int]]) -> tuple[Range, ...]:
    return tuple(Range(start, end) for start, end in places)


def _places(spans: Iterable[Range]) -> tuple[tuple[int, int], ...]:
    return tuple((span.start, span.end) for span in spans)
