"""Messages of ST's STM32CubeProgrammer over USB, and what they mean on this board. Pure.

The messages are those that its users quote; why it says them follows from what the board does.
"""

from collections.abc import Iterator

from flashdeck.diagnosis import Explanation
from flashdeck.text import format_size
from flashdeckd.diagnosis.maps import offered_end
from flashdeckd.diagnosis.observation import Case, Observation, ReadOutcome

DATA_READ_FAILED = "UPLOADING … Data read failed … connection lost"
READ_OPERATION_FAILED = "a read operation failed, please check if any memory protection mechanism is active"
DISABLE_PROTECTION = "the question whether to disable read protection"


def explanations(case: Case, seen: Observation) -> Iterator[Explanation]:
    """The three messages that a DfuSe board with a bootloader of its own provokes; none where it has no map."""
    if not any(each.memory_map for each in seen.alternates):
        return
    yield Explanation(message=DATA_READ_FAILED, meaning=_data_read_failed(case, seen))
    yield Explanation(message=READ_OPERATION_FAILED, meaning=_read_operation_failed(seen))
    yield Explanation(
        message=DISABLE_PROTECTION,
        meaning="Do not accept it. Nothing here shows that read protection is active: that guess is made from a failed "
        "read alone. ST's ROM bootloader answers Read Unprotect by erasing the whole chip; ST's classic class "
        "ignores it and says OK, so the tool reports success and nothing has changed; its USBX sample hangs in "
        "dfuDNBUSY until the next USB reset.",
    )


def _data_read_failed(case: Case, seen: Observation) -> str:
    begin = "The tool reads in order to connect, from the start of the flash on. "
    failed = next((read for read in seen.reads if read.outcome is not ReadOutcome.DATA), None)
    if failed is not None and failed.outcome is ReadOutcome.LOST:
        return begin + "This board does not survive a read, even inside a partition: one lost the connection here."
    if failed is not None:
        return begin + (
            f"This bootloader does not answer reads ({failed.message}), so the tool gives up before it has tried to "
            "write. The link is good and the flash is not protected: DFU needs no reading in order to write."
        )
    if not seen.reads:
        return begin + "Whether this bootloader answers reads was not tried here."
    end = case.profile.geometry.regions[-1].span.end
    offered = offered_end(case.profile.geometry, [a.memory_map for a in seen.alternates if a.memory_map is not None])
    if offered > end:
        return begin + (
            f"This board answered reads inside its partitions, but its map offers {format_size(offered - end)} more "
            "than the flash has. A read beyond the flash is a bus fault where Read does not check the address: the "
            "board drops off the bus, and that is the lost connection."
        )
    return begin + (
        "This board answered the reads that were tried here, inside its partitions. If the tool still fails, it is at "
        "an address elsewhere: the bootloader's own area, option bytes, or beyond the flash."
    )


def _read_operation_failed(seen: Observation) -> str:
    failed = next((read for read in seen.reads if read.outcome is not ReadOutcome.DATA), None)
    if failed is not None:
        return (
            "Even to write, the tool reads first. This bootloader does not answer reads, because its read function "
            "does not, and not because of a protection: flashdeck writes it all the same, and says so where it is not "
            "verified."
        )
    looked = (
        "This board answered the reads that were tried here, inside its partitions: if one of the tool's failed, then "
        "elsewhere."
        if seen.reads
        else "Whether this bootloader answers reads was not tried here."
    )
    return (
        f"Even to write, the tool reads first. {looked} In ST's ROM an error status errVENDOR "
        "means that read protection is active; in a bootloader of your own the same number only means that its erase "
        "or write callback failed."
    )
