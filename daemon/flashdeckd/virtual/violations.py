"""Requests that a careful host never sends to a bootloader: noted, so that a test can demand none."""

from flashdeckd.virtual.control import Answer, Dfu, Outcome, Setup, State

READ_UNPROTECT = bytes((0x92,))
MASS_ERASE = bytes((0x41,))
COMMAND_LENGTHS = {0x00: 1, 0x21: 5, 0x41: 5}
"""The commands that a host may send, by opcode: Get Commands, Set Address, Erase (AN3156)."""
_DOWNLOADABLE = (State.IDLE, State.DNLOAD_IDLE)
_UNDER_WAY = (State.DNBUSY, State.MANIFEST, State.MANIFEST_WAIT_RESET)


def judge(
    setup: Setup,
    data: bytes,
    outcome: Outcome,
    *,
    before: State,
    after: State,
    transfer_size: int,
    plain: bool = False,
) -> str:
    """Return the reason why a request to a bootloader was wrong; "" if it was not.

    Wrong is what must never be sent, what the bootloader refuses for its state, and what drives it into dfuERROR
    without a flash failure. A STALL while busy is how some devices say "not yet"; a refused read is the media's.
    `plain` DFU has neither commands nor a reserved block.
    """
    if not setup.is_dfu:
        return f"{setup} in the middle of {before.name}" if before in _UNDER_WAY and setup.is_in else ""
    if plain and setup.request == Dfu.DNLOAD and before not in _DOWNLOADABLE:
        return f"{setup} in {before.name}, where it has no place"
    reason = _download(setup, data, transfer_size, plain=plain) if setup.request == Dfu.DNLOAD else ""
    return f"{reason} in {before.name}" if reason else _in_state(setup, outcome, before, after, plain=plain)


def _in_state(setup: Setup, outcome: Outcome, before: State, after: State, *, plain: bool) -> str:
    if before is State.DNBUSY and setup.request in (Dfu.GETSTATUS, Dfu.GETSTATE):
        too_early = outcome.answer is Answer.STALL and after is State.ERROR
        return f"{setup} in {before.name} before its bwPollTimeout has passed" if too_early else ""
    if setup.request == Dfu.UPLOAD and before in (State.IDLE, State.UPLOAD_IDLE):
        return f"{setup} of the reserved block" if setup.value == 1 and not plain else ""
    if setup.request == Dfu.DNLOAD and not setup.length and outcome.answer is Answer.NAK:
        return ""  # a device that ignores the leave; nobody could know
    if outcome.answer is not Answer.OK or outcome.stall_asked:
        return f"{setup} in {before.name} is answered by {Answer.STALL.name}"
    if setup.request == Dfu.CLRSTATUS and after is State.ERROR and before is not State.ILLEGAL:
        return f"{setup} in {before.name} leads to {after.name}"
    return ""


def _download(setup: Setup, data: bytes, transfer_size: int, *, plain: bool) -> str:
    if setup.length > transfer_size:
        return f"DNLOAD of {setup.length} bytes, more than wTransferSize {transfer_size},"
    if setup.length == 0 or setup.value > 1 or plain:
        return ""
    if setup.value == 1:
        return "DNLOAD of the reserved block 1"
    names = {READ_UNPROTECT: "Read Unprotect", MASS_ERASE: "mass erase"}
    known = COMMAND_LENGTHS.get(data[0]) == len(data)
    return names.get(data, "" if known else f"command {data.hex()}")
