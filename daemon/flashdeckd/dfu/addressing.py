"""The wBlockNum that reaches an address: address = pointer + (wBlockNum - 2) x wTransferSize (ST AN3156). Pure."""

from dataclasses import dataclass

from flashdeckd.dfu.wire import FIRST_BLOCK, LAST_BLOCK


@dataclass(slots=True)
class Addressing:
    """The address pointer of a device, as far as it is known.

    The multiplier is the device's own constant, whatever the length of a block is.
    """

    transfer_size: int
    """wTransferSize; 0 where the device does not say, and then every block needs its address set."""
    pointer: int | None = None
    """None: unknown. An erase moves it on some devices, an error may have lost it."""
    counts: bool = True
    """True if block numbers are to be believed; else every block needs its address set."""

    def block_for(self, address: int, length: int) -> int | None:
        """The block number that reaches `address` from the pointer; None where the address must be set first.

        Only blocks of exactly wTransferSize are counted: for a shorter one, documents and devices differ in what the
        number is multiplied with.
        """
        if self.pointer is None:
            return None
        offset = address - self.pointer
        if offset == 0:
            return FIRST_BLOCK
        if not self.counts or length != self.transfer_size or offset < 0 or offset % self.transfer_size:
            return None
        block = FIRST_BLOCK + offset // self.transfer_size
        return block if block <= LAST_BLOCK else None

    def address_of(self, block: int) -> int:
        """Return the address at which the device will put `block`; the pointer must be known."""
        if self.pointer is None:
            raise ValueError("the address pointer is not known")
        return self.pointer + (block - FIRST_BLOCK) * self.transfer_size
