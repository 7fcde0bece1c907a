"""What is flashed is what was checked: images on disk under their hash."""

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeckd.images.image import PREFIX, Image, Piece
from flashdeckd.images.spool import Artifact, Spool

BYTES = b"\x00\x00\x03\x20\x51\x02\x02\x08pump 1.2.3\x00" + bytes(range(256))
IMAGE = Image.raw(BYTES)
HASH = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool"


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


def test_pruning_keeps_what_is_named_and_what_is_not_ours(spool: Spool, directory: Path) -> None:
    kept, dropped = spool.add(IMAGE).sha256, spool.add(Image.raw(BYTES + b"2")).sha256
    (directory / "README").write_text("not an image")
    (directory / ".writing-left").write_bytes(b"half")
    spool.prune([kept])
    assert spool.has(kept)
    assert not spool.has(dropped)
    assert sorted(path.name for path in directory.iterdir()) == sorted(["README", kept])


def test_pruning_a_spool_without_a_directory(spool: Spool, directory: Path) -> None:
    spool.prune([])
    assert not directory.exists()


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
