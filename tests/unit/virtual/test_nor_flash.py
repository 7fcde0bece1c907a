"""The rules of NOR flash, and what is left when power is lost in the middle."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeckd.virtual.nor import FlashLayout, NorFlash, fill

SMALL = FlashLayout(base=0x08000000, size=1024, sector=256, word=16, bank=512)
BLANK_WORD = b"\xff" * 16
words = st.integers(0, 63)
writes = st.tuples(st.just("write"), words, st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20))
erases = st.tuples(st.just("erase"), words, st.just([]))


def word(flash: NorFlash, number: int) -> bytes:
    return bytes(flash.content[number * 16 : number * 16 + 16])


@given(st.lists(st.one_of(writes, erases), max_size=30))
@settings(max_examples=60, deadline=None)
def test_only_blank_words_are_programmed_and_erases_stay_in_their_sector(
    steps: list[tuple[str, int, list[bytes]]],
) -> None:
    flash = NorFlash(SMALL)
    for kind, at, data in steps:
        before = [word(flash, number) for number in range(64)]
        address = SMALL.base + at * 16
        if kind == "erase":
            operation = flash.erase(address)
            operation.advance()
            assert not operation.failed
            expected = [BLANK_WORD if number // 16 == at // 16 else old for number, old in enumerate(before)]
        else:
            operation = flash.write(address, b"".join(data))
            operation.advance()
            fitting = 0
            while fitting < len(data) and at + fitting < 64 and before[at + fitting] == BLANK_WORD:
                fitting += 1
            assert operation.failed == (fitting < len(data))
            expected = [*before[:at], *data[:fitting], *before[at + fitting :]]
        assert [word(flash, number) for number in range(64)] == expected


@given(st.integers(0, 8), st.lists(st.integers(1, 3), max_size=8))
def test_a_write_cut_short_leaves_a_prefix_of_whole_words(until: int, pieces: list[int]) -> None:
    flash = NorFlash(SMALL)
    data = fill(8 * 16, seed=7)
    operation = flash.write(SMALL.base, data)
    for piece in pieces:
        operation.advance(min(piece, until - operation.done))
    operation.advance(until - operation.done)
    operation.cut()
    assert flash.content[: until * 16] == data[: until * 16]
    assert set(flash.content[until * 16 :]) == {0xFF}
    assert flash.words == until


def test_an_erase_cut_short_leaves_neither_the_old_nor_a_blank_sector() -> None:
    flash = NorFlash(SMALL)
    flash.load(SMALL.base, bytes(range(256)) * 4)
    operation = flash.erase(SMALL.base + 300)
    operation.cut()
    torn = bytes(flash.content[256:512])
    assert torn not in {bytes(range(256)), b"\xff" * 256}
    assert flash.content[:256] == bytes(range(256))
    assert flash.content[512:] == bytes(range(256)) * 2


def test_a_bad_sector_refuses_both() -> None:
    flash = NorFlash(FlashLayout(size=1024, sector=256, bad=frozenset({1})))
    for operation in (flash.erase(0x08000100), flash.write(0x08000100, bytes(16))):
        operation.advance()
        assert operation.failed
    assert (flash.erases, flash.words) == (0, 0)


def test_an_erase_without_banks_hits_the_same_number_in_the_first() -> None:
    flash = NorFlash(SMALL)
    flash.load(SMALL.base, bytes(1024))
    flash.erase(SMALL.base + 768, banks=False).advance()
    assert flash.content == bytes(256) + b"\xff" * 256 + bytes(512)
