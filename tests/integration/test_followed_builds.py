"""A build that a client sends is a build: it meets the rules, the guards and the people of the daemon that gets it."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.api import CHUNK
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Done, Superseded
from flashdeck.model import Disposition
from rig import PARTITION2, Rig, board, firmware, prepare, running

SOURCE = "ann@laptop:/fw/APP1.bin"
BOARDS = "".join(
    f'[boards.{name}]\nprofile = "product"\nserial = "TEST0000000{number}"\n' for number, name in enumerate("ab", 1)
)


async def push(
    rig: Rig,
    data: bytes,
    *,
    partition: str = "app1",
    boards: tuple[str, ...] = (),
    source: str = SOURCE,
    first: bool = False,
    age: float = 0.0,
) -> api.BuildTaken:
    """Send a build as `flashdeck follow` does."""
    begin = api.BeginUpload(name="APP1.bin", size=len(data), partition=partition, boards=boards)
    upload = (await rig.client.call(begin)).upload
    for start in range(0, len(data), CHUNK):
        await rig.client.call(api.UploadChunk(upload=upload, data=data[start : start + CHUNK]))
    return await rig.client.call(api.PushBuild(upload=upload, source=source, first=first, age=age))


async def test_a_build_that_arrives_is_flashed_and_is_the_newest(rig: Rig) -> None:
    taken = await push(rig, firmware("1.0.1"))
    (state,), (job,) = taken.builds, taken.jobs
    assert (state.disposition, state.source, state.version) == (Disposition.QUEUED, SOURCE, "flashdeck-test 1.0.1")
    (flashed,) = await rig.wait()
    assert (flashed.id, type(flashed.status)) == (job.id, Done)
    again = await push(rig, firmware("1.0.1"))
    assert again.jobs == (), "what is there is not flashed again"


async def test_what_was_there_before_it_was_followed_is_offered_unless_it_was_followed_before(rig: Rig) -> None:
    (offered,) = (await push(rig, firmware("1.0.0"), first=True)).builds
    assert (offered.disposition, offered.reason) == (Disposition.OFFERED, "it was there before it was followed")
    (queued,) = (await push(rig, firmware("1.0.1"), first=True)).builds
    assert queued.disposition is Disposition.QUEUED, "its source is known, and its bytes are others"
    (offered,) = (await push(rig, firmware("1.0.2"), first=True, source="bob@desk:/APP1.bin")).builds
    assert offered.disposition is Disposition.OFFERED
    (found,) = (await push(rig, firmware("1.0.3"), source="bob@desk:/fw*/*.bin")).builds
    assert found.source == "bob@desk:/fw*/APP1.bin", "what the glob has found"
    (queued,) = (await push(rig, firmware("1.0.4"), first=True, source="bob@desk:/fw*/*.bin")).builds
    assert queued.disposition is Disposition.QUEUED, "the glob is known"


async def test_a_newer_build_takes_the_place_of_one_that_waits_whoever_sends_it(rig: Rig) -> None:
    await rig.client.call(api.Hold(boards=("left",), reason="lunch"))
    (older,) = (await push(rig, firmware("1.0.1"))).jobs
    (newer,) = (await push(rig, firmware("1.0.2"), source="bob@desk:/APP1.bin")).jobs
    states = {job.id: job.status for job in await rig.jobs()}
    assert isinstance(states[older.id], Superseded)
    await rig.client.call(api.Release(boards=("left",)))
    (flashed,) = await rig.wait()
    assert flashed.id == newer.id


async def test_disarmed_boards_are_offered_it_and_guards_refuse_it(rig: Rig) -> None:
    await rig.client.call(api.Disarm(boards=("left",)))
    (state,) = (await push(rig, firmware("1.0.1"))).builds
    assert (state.disposition, state.reason) == (Disposition.OFFERED, "disarmed")
    await rig.client.call(api.Arm(boards=("left",)))
    taken = await push(rig, firmware("1.0.2", base=PARTITION2))
    assert taken.jobs == ()
    assert taken.builds[0].disposition is Disposition.REFUSED
    assert "partition2" in taken.builds[0].reason
    assert await rig.jobs() == []


async def test_a_build_goes_to_the_boards_that_are_named(root: Path) -> None:
    prepare(root, boards=BOARDS, bench=board("a") + board("b", 2, serial="TEST00000002"))
    async with running(root) as rig:
        taken = await push(rig, firmware("1.0.1"), boards=("b",))
        assert [job.board for job in taken.jobs] == ["b"]
        assert [job.board for job in (await push(rig, firmware("1.0.2"))).jobs] == ["a", "b"]


@pytest.mark.parametrize(
    ("partition", "boards", "kind"),
    [
        ("", (), ErrorKind.BAD_REQUEST),
        ("bootloader", (), ErrorKind.PROTECTED),
        ("app9", (), ErrorKind.NO_SUCH_PARTITION),
        ("app1", ("nope",), ErrorKind.NO_SUCH_BOARD),
    ],
)
async def test_a_build_for_nothing_is_refused(
    rig: Rig, partition: str, boards: tuple[str, ...], kind: ErrorKind
) -> None:
    with pytest.raises(RemoteError) as caught:
        await push(rig, firmware("1.0.1"), partition=partition, boards=boards)
    assert caught.value.kind is kind
    assert await rig.jobs() == []


async def test_what_a_client_says_of_its_file_is_made_harmless(rig: Rig) -> None:
    (state,) = (await push(rig, firmware("1.0.1"), source="\x1b[2J" + "x" * 10_000, age=-5.0)).builds
    assert "\x1b" not in state.source
    assert len(state.source) <= 4096
