"""How much an emulated bench takes and keeps: as much as the number says, and no more."""

from contextlib import suppress
from pathlib import Path

import pytest

from flash_rig import BASE, Rig
from flashdeck.api import CHUNK
from flashdeck.errors import ConfigError, RequestError, StallError
from flashdeckd.virtual.bench_file import MAX_PORT, MAX_TIMES, read_specs
from flashdeckd.virtual.board import MAX_VIOLATIONS
from flashdeckd.virtual.bus_clock import MAX_CREDIT, BusClock
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model


def bench(place: Path, *ports: int) -> Path:
    path = place / "bench.toml"
    path.write_text(
        "".join(f'[boards.b{port}]\nmodel = "classic"\nserial = "S{port}"\nport = {port}\n' for port in ports)
    )
    return path


def test_a_bench_has_so_many_ports(tmp_path: Path) -> None:
    assert [spec.port for spec in read_specs(bench(tmp_path, MAX_PORT))] == [MAX_PORT]
    with pytest.raises(ConfigError, match="port"):
        read_specs(bench(tmp_path, MAX_PORT + 1))


def test_a_fault_may_happen_so_often() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.STALL, 1, times=MAX_TIMES)
    with pytest.raises(RequestError, match="times"):
        rig.bench.fault("board", Fault.STALL, 1, times=MAX_TIMES + 1)


def test_so_many_bytes_of_a_flash_are_shown_at_once() -> None:
    rig = Rig()
    assert len(rig.board.dump(BASE, CHUNK).data) == CHUNK
    with pytest.raises(RequestError, match="no"):
        rig.board.dump(BASE, CHUNK + 1)


def test_so_many_violations_are_kept() -> None:
    rig = Rig(Model.STRICT)
    with rig.open() as pipe:
        for _ in range(2):  # every other one is in its place: the one before led to dfuERROR
            for _ in range(2 * MAX_VIOLATIONS):
                with suppress(StallError):
                    pipe.send(4, 0, b"", timeout=1)  # CLRSTATUS, and there is no error
            assert len(rig.board.state().violations) == MAX_VIOLATIONS


def test_lateness_is_made_good_only_so_far() -> None:
    now = 100.0
    clock = BusClock()
    clock.returned(now)
    clock.deadline = now - 1
    assert clock.begin(now) == now - MAX_CREDIT
    clock.returned(now)
    clock.deadline = now + 1
    assert clock.begin(now) == now + MAX_CREDIT
