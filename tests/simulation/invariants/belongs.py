"""Images that belong into a partition, and that do not: DESIGN's rule 5, from its words."""

from simulation.invariants.memory import defined
from simulation.seen import Place, Product

_ALIKE = (b"\x00", b"\xff")


def why_refused(pieces: tuple[tuple[int, bytes], ...], place: Place, product: Product) -> str:
    """Return why an image must not be taken for a partition; "" where it must be.

    Images with a header of MCUboot's are not judged here: the world makes none.
    """
    end = max((offset + len(data) for offset, data in pieces), default=0)
    if end > place.size:
        return f"it ends at 0x{end:x}, and {place.name} at 0x{place.size:x}"
    if place.is_data or not place.guards & {"stack", "reset"}:
        return ""
    if any(all(data == alike * len(data) for _, data in pieces) for alike in _ALIKE):
        return "it is all alike"
    if not pieces or pieces[0][0]:
        return "it does not begin at the partition's start"
    if end < 8:
        return "it has no room for a vector table"
    words = defined(pieces, 0, 8)
    stack, reset = int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little")
    if "reset" in place.guards:
        at = reset - 1 - place.address
        if not reset & 1:
            return f"its reset vector 0x{reset:08x} is even"
        if not any(offset <= at < offset + len(data) for offset, data in pieces):
            return f"its reset vector 0x{reset:08x} is not in it"
    is_in_ram = any(start < stack <= end for start, end in product.ram)
    if "stack" in place.guards and product.ram and not is_in_ram:
        return f"its stack pointer 0x{stack:08x} is not in RAM"
    return ""
