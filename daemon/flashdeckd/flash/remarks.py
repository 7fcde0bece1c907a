"""A plan in sentences: how an image is protected, and what is lost or kept beside it. Pure."""

from collections.abc import Iterator, Sequence

from flashdeck.config import ErasePolicy, PartitionKind
from flashdeck.geometry import Range
from flashdeckd.flash.layout import Layout, is_blank
from flashdeckd.images.image import Image

ERASED = "erased: nothing boots from this partition"
DATA = "data: nothing boots from this partition, so no part of the image is written last"


def protection(layout: Layout, image: Image) -> str:
    """Say how a half-written image is kept from booting, or that it is not."""
    start = layout.target.span.start
    if layout.target.holds is PartitionKind.DATA:
        return DATA
    if is_blank_image(image):
        return ERASED
    if not image.is_program:
        return (
            f"not protectable: the image begins later than the partition, at 0x{layout.image.pieces[0].offset:08x}, so "
            "no part of it can be written last"
        )
    if is_blank(layout.image.read(layout.boot)):
        return f"not protectable: the first {layout.boot_unit} bytes of the image are as those of an erased partition"
    return (
        f"the sector at 0x{start:08x} is erased first and its first {layout.boot_unit} bytes are written last: until "
        "then no boot check accepts the partition"
    )


def beside(layout: Layout, erased: Sequence[Range], known: Image) -> Iterator[str]:
    """Say what else is in the `erased` sectors, as far as it is `known`, and which sectors are left alone."""
    lost = {sector: layout.beside(sector, known) for sector in erased}
    partly = [sector for sector in erased if lost[sector] and sector in layout.touched]
    if partly:
        where = f"sector {partly[0]}" if len(partly) == 1 else _sectors(len(partly))
        size = _size(sum(lost[sector] for sector in partly), partly, known)
        yield f"the image covers only part of {where}: {size} other bytes there are erased"
    others = [sector for sector in erased if sector not in layout.touched]
    if others:
        size = _size(sum(lost[sector] for sector in others), others, known)
        yield f'erase = "partition": {_sectors(len(others))} beside the image erased, too, and {size} bytes there'
    spared = len(layout.target.sectors) - len(layout.touched)
    if spared and len(layout.image.pieces) > 1 and layout.target.erase is ErasePolicy.NEEDED:
        keep = "keeps its contents" if spared == 1 else "keep their contents"
        yield f"{_sectors(spared)} between or behind the pieces {keep}"


def is_blank_image(image: Image) -> bool:
    """Tell whether an image is as erased flash from its first byte to its last."""
    return image.is_raw and is_blank(image.pieces[0].data)


def _sectors(count: int) -> str:
    return "1 sector" if count == 1 else f"{count} sectors"


def _size(lost: int, sectors: Sequence[Range], known: Image) -> str:
    is_exact = all(known.covers(sector) for sector in sectors)
    return str(lost) if is_exact else f"up to {lost}"
