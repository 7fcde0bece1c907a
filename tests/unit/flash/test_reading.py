"""Reading a partition by true bytes: what is compared, what is kept, and that nothing is changed by it."""

from dataclasses import replace

import pytest

from flash_rig import APP1, SECTOR, TARGET, Rig, Watcher, image, pieces
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, ParkedError, StallError, UnreadableError
from flashdeck.geometry import Range
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.comparison import STRIDE, difference
from flashdeckd.flash.history_writer import LONGEST_REASON, HistoryWriter
from flashdeckd.flash.reading import ReadOrder, ReadResult
from flashdeckd.flash.target import AlternateTarget, Target
from flashdeckd.images.image import NOTHING, Image
from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model

LITTLE = replace(TARGET, span=Range.sized(APP1.start, 3 * SECTOR))
WHOLE = ReadOrder(NOTHING, whole=True)
TOLERANT = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
ALT = AlternateTarget(partition="app1", size=2 * SECTOR, setting=0)
READABLE = (Model.CLASSIC, Model.CLASSIC_OLD, Model.USBX, Model.ROM, Model.STRICT)


def read(rig: Rig, order: ReadOrder = WHOLE, target: Target = LITTLE, watcher: Watcher | None = None) -> ReadResult:
    with rig.open() as pipe:
        return engine.read(pipe, target, order, watcher or Watcher(), rig.nap, history=rig.history)


def held(rig: Rig, span: Range = LITTLE.span) -> Image:
    return Image.raw(rig.memory(span))


@pytest.mark.parametrize("model", READABLE)
def test_all_of_a_partition_is_read_and_nothing_changed(model: Model) -> None:
    rig = Rig(model)
    assert read(rig).read == held(rig)
    assert rig.memory() == rig.old
    assert rig.board.state().violations == ()
    assert rig.present
    state = rig.board.state()
    assert (state.erases, state.words) == (0, 0)


@pytest.mark.parametrize("model", [Model.TINYUSB, Model.TINYUSB_ASYNC, Model.ZEPHYR, Model.DAPBOOT])
def test_a_plain_board_is_read_from_its_start_on(model: Model) -> None:
    rig = Rig(model, attributes=TOLERANT)
    result = read(rig, target=ALT)
    assert result.read == held(rig, Range.sized(APP1.start, ALT.size))
    assert rig.memory() == rig.old


def test_what_bounds_the_bytes_that_a_plain_board_gives_out_is_the_partition() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    assert read(rig, target=replace(ALT, size=SECTOR + 100)).read.size == SECTOR + 100


def test_only_the_blocks_of_the_image_are_read_to_compare_with_it() -> None:
    rig = Rig()
    wanted = pieces((10, b"x"), (2 * SECTOR, b"y" * 2000))
    result = read(rig, ReadOrder(wanted))
    assert result.uploads == 3
    assert [piece.span for piece in result.read.pieces] == [Range(0, 1024), Range(2 * SECTOR, 2 * SECTOR + 2048)]
    assert result.read == held(rig).within(Range(0, 1024)).over(held(rig).within(Range(2 * SECTOR, 2 * SECTOR + 2048)))


def test_reads_are_proved_where_a_flash_has_proved_them() -> None:
    rig, data = Rig(), image(SECTOR)
    assert not read(rig).proved
    rig.flash(data, LITTLE)
    rig.back_in_dfu()
    result = read(rig)
    assert result.proved
    assert result.remarks == ()
    assert result.read.satisfies(Image.raw(data))


@pytest.mark.parametrize("model", [Model.CLASSIC_NOREAD, Model.CLASSIC_TEMPLATE])
def test_a_board_that_refuses_is_unreadable(model: Model) -> None:
    rig = Rig(model)
    with pytest.raises(UnreadableError) as caught:
        read(rig)
    assert caught.value.kind is ErrorKind.UNREADABLE
    assert rig.memory() == rig.old
    rig.flash(image(SECTOR), LITTLE)  # it is in order after that


def test_a_refusal_stays_one_where_a_person_wants_it_all_the_same() -> None:
    with pytest.raises(StallError):
        read(Rig(Model.CLASSIC_NOREAD), replace(WHOLE, force=True))


def test_a_board_that_says_that_it_cannot_be_read_is_not_asked() -> None:
    rig = Rig(attributes=Attribute.CAN_DNLOAD)
    with pytest.raises(UnreadableError, match="bitCanUpload"):
        read(rig)
    assert rig.board.state().uploads == 0


def test_a_plain_board_that_says_so_is_not_asked_either() -> None:
    rig = Rig(Model.TINYUSB, attributes=Attribute.CAN_DNLOAD)
    with pytest.raises(UnreadableError, match="bitCanUpload"):
        read(rig, target=ALT)
    assert rig.board.state().uploads == 0


def test_a_map_without_the_right_to_read_is_obeyed() -> None:
    rig = Rig(map="@Internal Flash   /0x08000000/16*8Ka,112*8Kf")
    with pytest.raises(UnreadableError, match="memory map"):
        read(rig)
    assert read(rig, replace(WHOLE, force=True)).read == held(rig)


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.ERROR_STATUS, Fault.WRONG_STATE])
@pytest.mark.parametrize(("model", "target"), [(Model.CLASSIC, LITTLE), (Model.USBX, LITTLE), (Model.TINYUSB, ALT)])
def test_a_single_failure_is_forgiven(model: Model, target: Target, fault: Fault) -> None:
    rig = Rig(model, attributes=TOLERANT)
    rig.bench.fault("board", fault, 9)
    assert read(rig, target=target).read == held(rig, Range.sized(APP1.start, target.span.size))


def test_a_board_that_is_lost_in_a_read_is_said_to_be() -> None:
    rig = Rig()

    def pull(times: int) -> None:
        if times == 1:
            rig.bench.fault("board", Fault.UNPLUG, 5)

    with pytest.raises(DeviceGoneError) as caught:
        read(rig, watcher=Watcher(on_check=pull))
    assert caught.value.during_read


@pytest.mark.parametrize(("model", "target"), [(Model.CLASSIC, LITTLE), (Model.TINYUSB, ALT)])
def test_it_stops_where_it_is_asked_to(model: Model, target: Target) -> None:
    def stop(times: int) -> None:
        if times == 3:
            raise ParkedError("stop")

    rig = Rig(model, attributes=TOLERANT)
    with pytest.raises(ParkedError):
        read(rig, target=target, watcher=Watcher(on_check=stop))
    assert read(rig, target=target).read == held(rig, Range.sized(APP1.start, target.span.size))


def test_a_plain_board_that_gives_out_too_little_cannot_be_compared() -> None:
    rig = Rig(Model.ZEPHYR, attributes=TOLERANT)
    size = ALT.size + 4 * 1024 * 1024
    with pytest.raises(DeviceError):
        read(rig, ReadOrder(Image.raw(b"x" * size)), replace(ALT, size=size))


# What is different.


def test_the_first_byte_and_the_number_of_bytes_that_differ_are_found() -> None:
    wanted = Image.raw(bytes(4 * STRIDE))
    seen = bytearray(4 * STRIDE)
    seen[STRIDE - 1] = seen[STRIDE] = seen[2 * STRIDE - 1] = seen[3 * STRIDE + 7] = 1
    found = difference(wanted, Image.raw(bytes(seen)))
    assert found is not None
    assert (found.first, found.count) == (STRIDE - 1, 4)
    assert found.places == (
        Range(STRIDE - 1, STRIDE),
        Range(STRIDE, 2 * STRIDE),
        Range(3 * STRIDE + 7, 3 * STRIDE + 8),
    )


def test_what_the_image_leaves_open_and_what_was_not_read_is_not_looked_at() -> None:
    wanted = pieces((0, b"abc"), (100, b"def"))
    assert difference(wanted, Image.raw(b"abc" + b"?" * 50)) is None
    assert difference(wanted, pieces((100, b"dEf"))) is not None


def test_so_much_is_kept_of_why_a_board_cannot_be_read() -> None:
    told: list[BootloaderHistory] = []
    writer = HistoryWriter(UNKNOWN, told.append, multiplies=True)
    writer.learn(reading_proved=False, unreadable="x" * (LONGEST_REASON + 1))
    assert len(told[-1].unreadable) == LONGEST_REASON
    writer.learn(reading_proved=False, unreadable="y" * LONGEST_REASON)
    assert told[-1].unreadable == "y" * LONGEST_REASON
    writer.learn(reading_proved=True)
    assert told[-1].unreadable == ""
