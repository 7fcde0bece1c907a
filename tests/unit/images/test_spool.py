"""What is flashed is what was checked: images on disk under their hash."""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from flashdeck.errors import DiskFullError, ErrorKind, FlashdeckError, HostError, RequestError
from flashdeckd.images.image import PREFIX, Image, Piece
from flashdeckd.images.spool import SENT_LEAST_SECONDS, SENT_SECONDS, Artifact, NeededImages, Pruned, Spool
from set_clock import SetClock, set_clock

BYTES = b"\x00\x00\x03\x20\x51\x02\x02\x08pump 1.2.3\x00" + bytes(range(256))
IMAGE = Image.raw(BYTES)
HASH = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "spool"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    return set_clock(monkeypatch)


@pytest.fixture
def spool(directory: Path) -> Spool:
    return Spool(directory)


def test_an_image_comes_back_as_it_was(spool: Spool) -> None:
    assert not spool.has(HASH)
    assert spool.add(IMAGE, "pump 1.2.3") == Artifact(HASH, len(BYTES), "pump 1.2.3")
    assert spool.has(HASH)
    assert spool.read(HASH) == IMAGE


def test_an_image_in_pieces_comes_back_in_pieces(spool: Spool, directory: Path) -> None:
    pieces = Image.of([Piece(16, b"one"), Piece(4096, b"two")])
    artifact = spool.add(pieces)
    assert (artifact.size, artifact.is_program) == (6, False)
    assert spool.read(artifact.sha256) == pieces
    assert (directory / artifact.sha256).read_bytes().startswith(PREFIX)


def test_another_spool_on_the_same_directory_knows_it(spool: Spool, directory: Path) -> None:
    spool.add(IMAGE)
    assert Spool(directory).read(HASH) == IMAGE


def test_adding_again_changes_nothing(spool: Spool, directory: Path) -> None:
    spool.add(IMAGE)
    before = (directory / HASH).stat()
    spool.add(IMAGE)
    assert (directory / HASH).stat() == before
    assert os.listdir(directory) == [HASH]  # noqa: PTH208 - names are what is compared


def test_nobody_else_can_read_it(spool: Spool, directory: Path) -> None:
    spool.add(IMAGE)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / HASH).stat().st_mode) == 0o600


def test_an_unknown_image_is_an_error_with_a_way_out(spool: Spool) -> None:
    with pytest.raises(RequestError) as caught:
        spool.read(HASH)
    assert caught.value.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert "flashdeck flash" in caught.value.hint


@pytest.mark.parametrize("name", ["", "..", "../secret", "a" * 63, "A" * 64, HASH + "\n", "/" * 64, "\x1b" * 64])
def test_no_other_name_reaches_the_disk(spool: Spool, directory: Path, name: str) -> None:
    spool.add(IMAGE)
    (directory.parent / "secret").write_bytes(b"secret")
    assert not spool.has(name)
    with pytest.raises(RequestError) as caught:
        spool.read(name)
    assert caught.value.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("damage", [b"", BYTES[:-1], BYTES + b"\0", b"\xff" + BYTES[1:]])
def test_a_damaged_image_is_told_and_removed(spool: Spool, directory: Path, damage: bytes) -> None:
    spool.add(IMAGE)
    (directory / HASH).write_bytes(damage)
    with pytest.raises(RequestError, match="damaged") as caught:
        spool.read(HASH)
    assert caught.value.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert not spool.has(HASH)
    spool.add(IMAGE)
    assert spool.read(HASH) == IMAGE


def test_adding_mends_a_damaged_image(spool: Spool, directory: Path) -> None:
    spool.add(IMAGE)
    (directory / HASH).write_bytes(b"damaged")
    spool.add(IMAGE)
    assert spool.read(HASH) == IMAGE


AMPLE = 1024**3


def images(spool: Spool, count: int) -> list[str]:
    """So many images of 1000 bytes, the oldest first."""
    return [spool.add(Image.raw(bytes([number]) * 1000)).sha256 for number in range(count)]


def left(spool: Spool, names: Iterable[str]) -> list[str]:
    return [name for name in names if spool.has(name)]


def test_pruning_keeps_what_is_named_and_what_is_not_ours(spool: Spool, directory: Path) -> None:
    kept, dropped = spool.add(IMAGE).sha256, spool.add(Image.raw(BYTES + b"2")).sha256
    (directory / "README").write_text("not an image")
    (directory / ".writing-left").write_bytes(b"half")
    assert spool.prune(NeededImages(spool.now, [kept]), AMPLE) == Pruned(1, len(BYTES))
    assert spool.has(kept)
    assert not spool.has(dropped)
    assert sorted(path.name for path in directory.iterdir()) == sorted(["README", kept])


def test_pruning_a_spool_without_a_directory(spool: Spool, directory: Path) -> None:
    assert spool.prune(NeededImages(spool.now, []), AMPLE) == Pruned(0, 0)
    assert not directory.exists()


def test_what_stays_for_a_rollback_goes_oldest_first_where_there_is_no_room(spool: Spool) -> None:
    oldest, older, old, needed = names = images(spool, 4)
    needs = NeededImages(spool.now, [needed], [needed, old, older, oldest])
    assert spool.prune(needs, 4000) == Pruned(0, 4000)
    assert spool.prune(needs, 3999) == Pruned(1, 3000)
    assert left(spool, names) == [older, old, needed]
    assert spool.prune(needs, AMPLE, room=1) == Pruned(1, 2000)
    assert left(spool, names) == [old, needed]


def test_what_is_needed_never_goes_for_want_of_room(spool: Spool) -> None:
    names = images(spool, 3)
    assert spool.prune(NeededImages(spool.now, names, names), 1, room=AMPLE) == Pruned(0, 3000)


def test_room_is_made_first_of_what_nobody_needs(spool: Spool) -> None:
    useless, good = images(spool, 2)
    assert spool.prune(NeededImages(spool.now, [], [good]), AMPLE, room=1000) == Pruned(1, 1000)
    assert left(spool, [useless, good]) == [good]


def test_what_is_held_stays(spool: Spool) -> None:
    (name,) = images(spool, 1)
    with spool.held(name), spool.held(name):
        spool.prune(NeededImages(spool.now, []), 0)
    with spool.held(name):
        spool.prune(NeededImages(spool.now, []), 0)
        needs = NeededImages(spool.now, [])
    spool.prune(needs, 0)
    assert spool.has(name), "it may have become needed after the needs were listed"
    spool.prune(NeededImages(spool.now, []), 0)
    assert not spool.has(name)


def test_what_a_client_sent_stays_for_a_while(spool: Spool, clock: SetClock) -> None:
    name, other = images(spool, 2)
    assert spool.next_expiry is None
    spool.note_sent(name)
    clock.seconds += SENT_SECONDS - 1
    spool.prune(NeededImages(spool.now, [other]), AMPLE)
    assert spool.has(name)
    assert spool.next_expiry == 1
    clock.seconds += 1
    spool.prune(NeededImages(spool.now, [other]), AMPLE)
    assert left(spool, [name, other]) == [other]
    assert spool.next_expiry is None


def test_what_a_client_sent_goes_earlier_where_there_is_no_room(spool: Spool, clock: SetClock) -> None:
    name, _other = names = images(spool, 2)
    for each in names:
        spool.note_sent(each)
        clock.seconds += 1
    clock.seconds += SENT_LEAST_SECONDS - 2.5
    spool.prune(NeededImages(spool.now, []), 0)
    assert left(spool, names) == names
    clock.seconds += 0.5
    spool.prune(NeededImages(spool.now, []), 0)
    assert left(spool, names) == names[1:], "it had its time, the other one not yet"
    assert name != names[1]


def test_what_cannot_be_removed_is_an_error_with_a_way_out(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = images(spool, 1)

    def refused(_path: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(HostError, match="Read-only"):
        spool.prune(NeededImages(spool.now, []), AMPLE)
    assert spool.has(name)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_an_error_of_its_own(spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError):
        spool.add(IMAGE)


def test_a_write_that_fails_leaves_nothing_behind(
    spool: Spool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FlashdeckError, match="No space left") as caught:
        spool.add(IMAGE)
    assert caught.value.hint
    assert list(directory.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FlashdeckError) as caught:
        Spool(tmp_path / "file" / "spool").add(IMAGE)
    assert caught.value.hint


def test_threads_that_add_the_same_image_do_not_meet(spool: Spool, directory: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                spool.add(IMAGE)
                assert spool.read(HASH) == IMAGE
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in directory.iterdir()] == [HASH]
