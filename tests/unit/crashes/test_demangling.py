"""Names of functions as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.crashes.demangling import LONGEST_NAME, demangled


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("control_step", "control_step"),
        ("_Z4stepi", "step"),
        ("_ZL4stepi", "step"),
        ("_ZN5motor4Loop4stepEi", "motor::Loop::step"),
        ("_ZNK5motor4Loop4stepEv", "motor::Loop::step"),
        ("_ZN5motor4Loop4stepEi.isra.0", "motor::Loop::step"),
        ("_ZN12_GLOBAL__N_14stepEv", "(anonymous)::step"),
        ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
        ("_ZN3app3adc17h0123456789abcdefE.llvm.123", "app::adc"),
        (
            "_ZN50_$LT$app..Adc$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE",
            "<app::Adc as core::ops::drop::Drop>::drop",
        ),
        # more than that is shown as it is
        ("_RNvCs1234_3app4main", "_RNvCs1234_3app4main"),
        ("_ZN5motor4LoopC1Ev", "_ZN5motor4LoopC1Ev"),
        ("_ZN5motor4LoopIiE4stepEv", "_ZN5motor4LoopIiE4stepEv"),
        ("_Z3maxIiET_S0_S0_", "_Z3maxIiET_S0_S0_"),
        ("_ZplRK1AS1_", "_ZplRK1AS1_"),
        ("_ZN9motorE", "_ZN9motorE"),
        ("_Z99x", "_Z99x"),
    ],
)
def test_a_name_is_undone_where_that_is_simple(name: str, wanted: str) -> None:
    assert demangled(name) == wanted


def test_a_name_is_cut() -> None:
    assert demangled("x" * LONGEST_NAME) == "x" * LONGEST_NAME
    assert demangled("x" * (LONGEST_NAME + 1)) == "x" * LONGEST_NAME


@given(st.text(alphabet="_ZNKLEI0123456789abh$.", max_size=300))
def test_no_name_is_too_much(name: str) -> None:
    assert len(demangled("_Z" + name)) <= LONGEST_NAME
