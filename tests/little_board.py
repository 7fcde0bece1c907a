"""An emulated board whose flash is as small as the rules allow, for tests that need very many of them.

In a soak it is four times as large: everything that may happen is then more, and a sample of it is looked at.
"""

from functools import cache

from flash_rig import Rig, image
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.flash.target import AddressTarget, AlternateTarget
from flashdeckd.virtual.nor import FlashLayout, NorFlash, fill
from flashdeckd.virtual.spec import BoardSpec, Content, Model
from soaking import sized

IMAGE_SECTORS = sized(5, 5, 20)
SECTOR, BLOCK, WORD = 2048, 1024, 16
BASE = 0x08020000 - 2 * SECTOR
BANK_SECTORS = 2 + IMAGE_SECTORS + 1
"""Those of the bootloader, of the image, and one that stays free."""
BANK = BANK_SECTORS * SECTOR
LAYOUT = FlashLayout(base=BASE, size=2 * BANK, sector=SECTOR, word=WORD, bank=BANK)
"""Two equal banks. The partition is where the plain models have theirs."""
GEOMETRY = Geometry(
    (Region(BASE, BANK_SECTORS, SECTOR, 0), Region(BASE + BANK, BANK_SECTORS, SECTOR, 1)), program_unit=WORD
)
BOOTLOADER = Range.sized(BASE, 2 * SECTOR)
PARTITION = Range.sized(BOOTLOADER.end, (IMAGE_SECTORS + 1) * SECTOR)
"""Sectors for the image; the last one, and its twin in the other bank, are blank: a canary may go there."""
TARGET = AddressTarget(partition="app", span=PARTITION, geometry=GEOMETRY, protected=(BOOTLOADER,))
PLAIN = AlternateTarget(partition="app", size=PARTITION.size, setting=0)
SIZE = IMAGE_SECTORS * SECTOR - 100
STACK = (0x20005000).to_bytes(4, "little")
"""An initial stack pointer that every boot check takes, that of dapboot included."""
OLD_IMAGE, NEW_IMAGE = (STACK + image(SIZE, seed, PARTITION.start)[4:] for seed in (1, 2))
CHANGED = 2 * SECTOR + 77
"""Where an image differs that is nearly the old one: in its third sector."""
DELTA_IMAGE = OLD_IMAGE[:CHANGED] + b"changed" + OLD_IMAGE[CHANGED + 7 :]


@cache
def flash_with(contents: bytes) -> bytes:
    """A flash with something everywhere, and `contents` in the partition; room for a canary at its end."""
    flash = bytearray(fill(LAYOUT.size, 7))
    flash[PARTITION.start - BASE : PARTITION.end - BASE] = contents.ljust(PARTITION.size, b"\xff")
    flash[-SECTOR:] = b"\xff" * SECTOR
    return bytes(flash)


def board(model: Model, flash: bytes) -> Rig:
    """Such a board, in DFU mode, with this flash."""
    return Rig(
        model,
        contents=(Content(BASE, flash),),
        layout=LAYOUT,
        app_address=PARTITION.start,
        map=f"@Internal Flash   /0x{BASE:08x}/2*2Ka,{2 * BANK_SECTORS - 2}*2Kg",
        transfer_size=BLOCK,
    )


def memory(rig: Rig) -> bytes:
    """All that its flash holds."""
    return rig.board.dump(0, LAYOUT.size).data


def boots(spec: BoardSpec, flash: bytes) -> bool:
    """What the boot check of a board says of these contents."""
    found = NorFlash(LAYOUT)
    found.load(BASE, flash)
    return spec.boots(found)


def changed_outside(before: bytes, now: bytes) -> bool:
    """Whether any byte outside of the partition is another one."""
    start, end = PARTITION.start - BASE, PARTITION.end - BASE
    return (before[:start], before[end:]) != (now[:start], now[end:])
