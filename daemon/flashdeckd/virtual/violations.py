"""What a careful host does not do to a bootloader: noted, so that a test can demand that nothing was."""

from flashdeckd.virtual.control import Answer, Dfu, Outcome, Setup, State

READ_UNPROTECT = 0x92
MASS_ERASE = 0x41
_UNDER_WAY = (State.DNBUSY, State.MANIFEST, State.MANIFEST_WAIT_RESET)


def judge(setup: Setup, data: bytes, transfer_size: int, before: State, after: State, outcome: Outcome) -> str:
    """Why a request to a bootloader was wrong; "" where it was not.

    Wrong is what the bootloader refuses for its state, what drives it into dfuERROR without a flash failure, and what
    must never be sent. A STALL while it is busy is how some devices say "not yet", and a refused read is the media's.
    """
    if not setup.is_dfu:
        if before in _UNDER_WAY and setup.is_in:
            return f"{setup} in the middle of {before.name}"
        return ""
    if setup.request == Dfu.DNLOAD and (reason := _download(setup, data, transfer_size)):
        return f"{reason} in {before.name}"
    if before is State.DNBUSY and setup.request in (Dfu.GETSTATUS, Dfu.GETSTATE):
        return ""
    if setup.request == Dfu.UPLOAD and before in (State.IDLE, State.UPLOAD_IDLE):
        return f"{setup} of block 1" if setup.value == 1 else ""
    if outcome.answer is not Answer.OK or outcome.stall_asked:
        return f"{setup} in {before.name} is answered by {outcome.answer.name}"
    if after is State.ERROR and before not in (State.ERROR, State.ILLEGAL) and setup.request == Dfu.CLRSTATUS:
        return f"{setup} in {before.name} leads to {after.name}"
    return ""


def _download(setup: Setup, data: bytes, transfer_size: int) -> str:
    if setup.length > transfer_size:
        return f"DNLOAD of {setup.length} bytes, more than wTransferSize {transfer_size},"
    if setup.length == 0 or setup.value > 1:
        return ""
    if setup.value == 1:
        return "DNLOAD of the reserved block 1"
    if data[0] == READ_UNPROTECT:
        return "Read Unprotect"
    if data[:1] == bytes((MASS_ERASE,)) and len(data) == 1:
        return "mass erase"
    known = {0x00: 1, 0x21: 5, 0x41: 5}
    return "" if known.get(data[0]) == len(data) else f"command {data.hex()}"
