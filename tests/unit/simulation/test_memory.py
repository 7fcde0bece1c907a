"""Bytes are compared all at once, and that gives what a look at each of them gives."""

import random

import pytest

from simulation.invariants.memory import Memory, differing


@pytest.mark.parametrize("seed", range(20))
def test_what_differs_is_what_differs_byte_by_byte(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice((1, 16, 300))
    memory = Memory(size + chance.choice((0, 5)))  # a partition may have been resized since
    memory.lay([(0, chance.randbytes(size // 2))])
    true = bytearray(memory.data[:size])
    for _ in range(chance.choice((0, 1, 10))):
        true[chance.randrange(size)] = chance.randrange(256)
    expected = [at for at, byte in enumerate(true) if memory.known[at] and memory.data[at] != byte]
    assert memory.differs(bytes(true)) == expected
    there = bytes(memory.data[:size])
    assert differing(bytes(true), there) == [at for at in range(size) if true[at] != there[at]]


def test_only_what_is_known_is_satisfied() -> None:
    memory = Memory(8)
    memory.lay([(2, b"abcd")])
    assert memory.satisfies([(2, b"abcd")])
    assert not memory.satisfies([(2, b"abcx")])
    assert not memory.satisfies([(4, b"cd\xff")])  # it is so, and nobody knows it
    assert not memory.satisfies([(6, b"\xff\xff\xff")])
    memory.forget(3, 4)
    assert not memory.satisfies([(2, b"abcd")])
    assert memory.satisfies([(4, b"cd")])
