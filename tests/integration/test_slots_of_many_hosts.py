"""Slots and lots of several daemons in one table: each names its host, and is typed as it is printed."""

import csv
import io
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from flashdeck.errors import ExitCode
from flashdeck.slot_condition import SlotPassed
from flashdeck.slot_state import UnitResult
from hosts_rig import Machines, machines
from rig import Rig, running
from slot_bench import GOOD, SERIAL, prepare_slots, until_slot, until_unit

pytestmark = pytest.mark.long

BOARD = '[boards.s2]\nprofile = "product"\nserial = "OTHER"\n'
"""A board on one machine that is called as a slot of the other."""


@dataclass(slots=True)
class Lines:
    """Two machines with slots."""

    machines: Machines
    a: Rig
    b: Rig

    async def said(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a command for both."""
        async with self.machines.typed(*words, *self.machines.words) as typed:
            code, out = await typed.ended()
        return code, out, typed.err


@pytest_asyncio.fixture
async def lines(root: Path) -> AsyncGenerator[Lines]:
    both = machines(root, ("a", "b"), ())
    prepare_slots(both.at("a"), 2)
    prepare_slots(both.at("b"), 1, boards=BOARD)
    async with AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(running(both.at(name))) for name in ("a", "b")]
        for rig in (a, b):
            rig.build(GOOD)
            await rig.plug("u1")
            await until_slot(rig, SlotPassed)
        yield Lines(both, a, b)


async def test_tables_name_the_host_of_each_slot_lot_and_unit(lines: Lines) -> None:
    code, out, _ = await lines.said("status")
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert code == ExitCode.OK
    assert out.splitlines()[0].startswith("1 board: ")
    assert out.splitlines()[0].endswith("3 slots: 2 PASS, 1 empty")
    assert "PASS" in rows["a/s1"]
    assert "empty" in rows["a/s2"]
    assert "absent" in out.split("PROFILE")[1], "the board that is called as a slot of the other machine"
    _, out, _ = await lines.said("units", "--json")
    assert sorted((unit["slot"], unit["serial"]) for unit in json.loads(out)["units"]) == [
        ("a/s1", SERIAL),
        ("b/s1", SERIAL),
    ]
    _, out, _ = await lines.said("units", "b/*", "--csv")
    assert [row["slot"] for row in csv.DictReader(io.StringIO(out))] == ["b/s1"]
    assert len((await lines.said("units", "-n", "1"))[1].splitlines()) == 2


async def test_a_lot_is_begun_and_ended_on_one_host_and_shown_on_all(lines: Lines) -> None:
    image = lines.machines.directory / "APP1.bin"
    image.write_bytes(GOOD)
    begin = ("lot", "begin", "night", "--image", str(image), "--count", "2", "--partition", "app1")
    code, _, err = await lines.said(*begin)
    assert code == ExitCode.USAGE
    assert "one machine at a time, and a, b are named" in err
    assert "--slot 'a/*'" in err
    for host in ("a", "b"):
        code, _, err = await lines.said(*begin, "--slot", f"{host}/*")
        assert code == ExitCode.OK, err
    await lines.a.plug("u2")
    await until_unit(lines.a, UnitResult.PASSED, 2, "s2")
    _, out, _ = await lines.said("lot", "status")
    assert {line.split()[0] for line in out.splitlines()[1:]} == {"a/night", "b/night"}
    for lot in ("night", "a/night"):
        _, out, _ = await lines.said("units", "--lot", lot, "--json")
        assert [(unit["slot"], unit["lot"]) for unit in json.loads(out)["units"]] == [("a/s2", "a/night")]
    _, out, _ = await lines.said("units", "--lot", "b/night")
    assert out == "no such units\n"
    code, _, err = await lines.said("units", "--lot", "c/night")
    assert code == ExitCode.NOT_FOUND
    assert "'c/night' is on a machine that is not asked" in err
    code, _, err = await lines.said("lot", "end", "night")
    assert code == ExitCode.USAGE
    assert "name the lot as it is listed: a/night" in err
    assert (await lines.said("lot", "end", "a/night"))[0] == ExitCode.OK
    _, out, _ = await lines.said("lot", "status", "--json")
    assert {lot["name"]: lot["ended_at"] is None for lot in json.loads(out)["lots"]} == {
        "a/night": False,
        "b/night": True,
    }
    _, out, _ = await lines.said("lot", "status", "b/night")
    assert [line.split()[0] for line in out.splitlines()] == ["LOT", "b/night"]
