"""The engine on every emulated DfuSe bootloader: a correct flash or a clear error, and never a byte elsewhere."""

import pytest

from flash_rig import APP1, BASE, FLASH_SIZE, OLD, ROOM, ROOM_TWIN, SECTOR, TARGET, Rig, blank, image, pieces
from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.virtual.board import Attachment
from flashdeckd.virtual.control import CLASS_REQUEST, Dfu, Setup
from flashdeckd.virtual.spec import PLAIN_MODELS, STORES_NOTHING, Model

OLD_WITH_ROOM = blank(ROOM, ROOM_TWIN)
PLAIN = AlternateTarget(partition="app1", size=APP1.size, setting=0)
BETWEEN = Range.sized(APP1.start + SECTOR, SECTOR)


@pytest.mark.parametrize("model", [*Model])
@pytest.mark.parametrize("size", [1000, 20_000])
def test_ends_with_a_correct_flash_or_a_clear_error(model: Model, size: int) -> None:
    rig, data = Rig(model), image(size)
    result = rig.attempt(data)
    correct = rig.memory(Range.sized(APP1.start, size)) == data
    assert not rig.outside_changed(APP1)
    if isinstance(result, FlashdeckError):
        assert str(result)
        assert result.hint
        return
    assert correct or model in STORES_NOTHING
    assert correct or result.verified is Verified.NO


TWO = pieces((0, image(1500)), (2 * SECTOR + 100, image(SECTOR + 1000, seed=7)))
"""It touches the sectors 0, 2 and 3."""


@pytest.mark.parametrize("old", [OLD, OLD_WITH_ROOM], ids=["used", "with room"])
@pytest.mark.parametrize("model", [*Model])
def test_what_lies_between_two_pieces_stays_byte_for_byte(model: Model, old: bytes) -> None:
    rig, end = Rig(model, old=old), APP1.start + 4 * SECTOR
    target = PLAIN if model in PLAIN_MODELS else TARGET
    for what in (TWO, TWO.over(pieces((2 * SECTOR + 3000, b"changed")))):
        if not rig.present:
            rig.back_in_dfu()
        result = rig.attempt(what, target)
        assert not rig.outside_changed(APP1)
        stored = model not in STORES_NOTHING and not isinstance(result, FlashdeckError)
        if model in PLAIN_MODELS:
            assert not stored or rig.memory(Range(APP1.start, end))[: what.end] == what.read(Range(0, what.end))
            continue
        assert rig.memory(BETWEEN) == rig.old[BETWEEN.start - BASE : BETWEEN.end - BASE]
        assert rig.memory(Range(end, APP1.end)) == rig.old[end - BASE : APP1.end - BASE]
        assert isinstance(result, FlashdeckError) or stored or result.verified is Verified.NO
        if stored:
            assert rig.memory(Range(APP1.start, BETWEEN.start)) == what.read(Range(0, SECTOR))
            assert rig.memory(Range(BETWEEN.end, end)) == what.read(Range(2 * SECTOR, 4 * SECTOR))


@pytest.mark.parametrize("model", [model for model in Model if model not in PLAIN_MODELS])
def test_no_session_sends_another_command_than_set_address_and_erase_with_an_address(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0x41 alone would erase the whole chip, 0x92 lift its protection and erase it, and block 1 is reserved."""
    rig, sent = Rig(model, old=OLD_WITH_ROOM), list[tuple[int, bytes]]()
    transfer = rig.board.transfer

    def overheard(connection: Attachment, setup: Setup, data: bytes, timeout: float | None) -> bytes:
        if (setup.kind, setup.request) == (CLASS_REQUEST, Dfu.DNLOAD):
            sent.append((setup.value, bytes(data)))
        return transfer(connection, setup, data, timeout)

    monkeypatch.setattr(rig.board, "transfer", overheard)
    for seed in (1, 1, 2):  # with a canary where it can be, unchanged, and as a delta
        rig.attempt(image(20_000, seed))
        rig.back_in_dfu()
    commands = {(data[:1], len(data)) for block, data in sent if block == 0 and data}
    assert (b"\x21", 5) in commands
    assert commands <= {(b"\x21", 5), (b"\x41", 5)}
    assert 1 not in {block for block, _ in sent}


LIARS = (Model.CLASSIC_STALE, Model.CLASSIC_ECHO, Model.CLASSIC_CONSTANT, *sorted(STORES_NOTHING))


@pytest.mark.parametrize("model", LIARS)
@pytest.mark.parametrize("blank", [0x00, 0xFF])
def test_a_read_that_lies_never_proves_a_flash(model: Model, blank: int) -> None:
    rig = Rig(model, old=bytes([blank]) * FLASH_SIZE, read_constant=blank)
    for seed in (1, 2):
        data = image(20_000, seed)
        result = rig.attempt(data)
        correct = rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not rig.outside_changed(APP1)
        assert isinstance(result, FlashdeckError) or result.verified is Verified.NO
        assert correct or model in STORES_NOTHING
        rig.back_in_dfu()
