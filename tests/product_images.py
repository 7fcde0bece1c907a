"""A product as in the guide: bootloader, app1 and partition2 on an STM32H563RG; and images for it."""

import random
import struct
from dataclasses import replace

import pytest

from flashdeck.chips import find_chip
from flashdeck.config import AnyGuard, Guard, Partition, PartitionKind, Profile, UsbId
from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeck.trustzone import FLASH_OFFSET, secure_view
from flashdeckd.images.guards import check
from flashdeckd.images.image import Image

K = 1024
CHIP = find_chip("STM32H563RG")
START = 0x08020000
STACK = 0x20010000
FITS = frozenset[AnyGuard]((Guard.FITS,))


def profile(
    *,
    secure: bool = False,
    guards: frozenset[AnyGuard] = Partition("", Range(0, 0)).guards,
    vectors: int | None = None,
    holds: PartitionKind = PartitionKind.PROGRAM,
) -> Profile:
    base = 0x08000000 + FLASH_OFFSET * secure
    bootloader = Partition("bootloader", Range.sized(base, 128 * K), protected=True)
    app1 = Partition("app1", Range.sized(base + 0x20000, 384 * K), guards=guards, vectors=vectors, holds=holds)
    partition2 = Partition("partition2", Range.sized(base + 0x80000, 384 * K))
    return Profile(
        name="product",
        dfu=UsbId(0x0483, 0xDF11),
        geometry=secure_view(CHIP.geometry) if secure else CHIP.geometry,
        chip=CHIP.name,
        option_bytes=CHIP.option_bytes,
        otp=CHIP.otp,
        secure_alias=CHIP.secure_alias,
        partitions={each.name: each for each in (bootloader, app1, partition2)},
    )


PRODUCT = profile()


def program(stack: int = STACK, vector: int = START + 0x101, size: int = 4096) -> bytes:
    """A vector table whose handlers are one, and code."""
    code = random.Random(stack ^ vector).randbytes(size)  # noqa: S311 - nothing secret
    return struct.pack("<16I", stack, *[vector] * 15) + code[64:]


def taken(data: bytes | Image, of: Profile = PRODUCT, name: str = "app1") -> tuple[str, ...]:
    """What is warned of where an image is taken."""
    return check(data if isinstance(data, Image) else Image.raw(data), of, of.partitions[name])


def refused(data: bytes | Image, of: Profile = PRODUCT, name: str = "app1") -> RefusedError:
    """The error with which an image is refused."""
    with pytest.raises(RefusedError) as caught:
        taken(data, of, name)
    assert caught.value.hint
    return caught.value


def without(of: Profile, *guards: AnyGuard) -> Profile:
    """The same product, app1 without these guards."""
    app1 = of.partitions["app1"]
    return replace(of, partitions={**of.partitions, "app1": replace(app1, guards=app1.guards - set(guards))})
