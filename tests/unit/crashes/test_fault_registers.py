"""The fault status registers in words."""

import pytest

from flashdeckd.crashes.fault_registers import CFSR_CAUSES, FaultCause, FaultRegisters, causes_text, with_part


@pytest.mark.parametrize("bit", CFSR_CAUSES)
def test_each_bit_has_its_words(bit: int) -> None:
    registers = FaultRegisters(cfsr=1 << bit)
    assert registers.causes == (CFSR_CAUSES[bit],)
    assert causes_text(registers) == CFSR_CAUSES[bit].value.format(at="")
    assert registers.proves_fault


@pytest.mark.parametrize(
    ("registers", "text"),
    [
        (FaultRegisters(cfsr=0x8200, bfar=0x20030000), "a bus error at 0x20030000, precise"),
        (FaultRegisters(cfsr=0x0200, bfar=0x20030000), "a bus error, precise"),  # BFAR is not valid
        (FaultRegisters(cfsr=0x0082, mmfar=0), "an access that the MPU forbids at 0x00000000"),
        (FaultRegisters(cfsr=0x0002, mmfar=0), "an access that the MPU forbids"),
        (FaultRegisters(cfsr=0x0400), "a bus error, imprecise (pc is a little behind it)"),
        (FaultRegisters(cfsr=0x02010000), "an undefined instruction, a division by zero"),
        (FaultRegisters(hfsr=0x2), "a bus error as the vector table was read"),
        (FaultRegisters(sfsr=0x48, sfar=0x30000000), "an access that the SAU forbids at 0x30000000"),
        (FaultRegisters(said=(FaultCause.BUS_PRECISE,), bfar=4), "a bus error at 0x00000004, precise"),
        (FaultRegisters(cfsr=0x8200, said=(FaultCause.BUS_PRECISE,), bfar=4), "a bus error at 0x00000004, precise"),
        (FaultRegisters(fault_address=0x10), "at 0x00000010"),
        (FaultRegisters(hfsr=0x40000000), ""),
        (FaultRegisters(), ""),
    ],
)
def test_registers_in_words(registers: FaultRegisters, text: str) -> None:
    assert causes_text(registers) == text


@pytest.mark.parametrize(
    ("registers", "proved"),
    [
        (FaultRegisters(cfsr=0), False),
        (FaultRegisters(cfsr=0x00400000), False),  # a bit that has no sense: it was something else
        (FaultRegisters(cfsr=0xFFFFFFFF), False),
        (FaultRegisters(cfsr=0x8200), True),
        (FaultRegisters(hfsr=0x40000000), True),
        (FaultRegisters(hfsr=0x40000001), False),
        (FaultRegisters(bfar=0x20030000), False),
    ],
)
def test_a_status_proves_a_fault_only_where_it_makes_sense(registers: FaultRegisters, proved: bool) -> None:
    assert registers.proves_fault is proved


def test_the_parts_of_the_status_come_one_by_one() -> None:
    whole = with_part(with_part(with_part(None, "mmfsr", 0x82), "bfsr", 0x01), "ufsr", 0x0200)
    assert whole == 0x02000182
    assert with_part(whole, "mfsr", 0) == 0x02000100
