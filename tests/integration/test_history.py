"""The whole journal as a person asks for it, with the time that each phase took."""

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Phase
from rig import Rig, board, firmware, prepare

pytestmark = pytest.mark.long

ONE, TWO = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1"))


async def history(rig: Rig, asked: api.GetHistory | None = None) -> list[tuple[int, str]]:
    page = await rig.client.call(asked or api.GetHistory())
    return [(job.id, job.board) for job in page.jobs]


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_the_phases_of_a_flash_are_timed_and_outlive_the_daemon(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    rig.build(TWO)  # the board is running by now
    await rig.wait(data=TWO)
    before, first = (await rig.client.call(api.GetHistory())).jobs
    assert before.result is not None
    for phase in (Phase.DETACH, Phase.ERASE, Phase.WRITE, Phase.VERIFY, Phase.START):  # an open may take no whole ms
        assert before.times.of(phase) > 0, (phase, before.times)
    on_the_board = sum(before.times.of(phase) for phase in Phase if phase not in (Phase.DETACH, Phase.START))
    assert before.times.erase + before.times.write > before.result.seconds / 2  # that is where a board spends it
    assert on_the_board >= before.result.seconds * 0.9
    await rig.stop()
    await rig.restart()
    page = await rig.client.call(api.GetHistory())
    assert page.jobs == (before, first)
    assert (page.since, page.kept, page.next) == (first.created_at, 0, 0)


async def test_it_is_searched_by_board_partition_and_time_also_for_boards_that_are_gone(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    rig.build(TWO)
    await rig.wait(data=TWO)
    one, two = sorted((await rig.client.call(api.GetHistory())).jobs, key=lambda job: job.id)
    await rig.stop()
    other = '[boards.other]\nprofile = "product"\nserial = "TEST00000009"\n'
    prepare(rig.root, boards=other, bench=board("left"))
    await rig.restart()
    assert await history(rig) == [(2, "left"), (1, "left")]
    assert await history(rig, api.GetHistory(boards=("le*",), partition="app1")) == [(2, "left"), (1, "left")]
    assert await history(rig, api.GetHistory(boards=("other",))) == []
    assert await history(rig, api.GetHistory(partition="partition2")) == []
    assert await history(rig, api.GetHistory(since=two.at)) == [(2, "left")]
    assert await history(rig, api.GetHistory(until=one.at)) == [(1, "left")]
    assert await history(rig, api.GetHistory(before=2)) == [(1, "left")]
    first = await rig.client.call(api.GetHistory(limit=1))
    assert ([job.id for job in first.jobs], first.next) == ([2], 2)
    with pytest.raises(FlashdeckError) as caught:
        await history(rig, api.GetHistory(boards=("nobody",)))
    assert caught.value.kind is ErrorKind.NO_SUCH_BOARD
    assert "left" in caught.value.hint
    with pytest.raises(FlashdeckError) as caught:
        await history(rig, api.GetHistory(partition="ap1"))
    assert (caught.value.kind, caught.value.hint) == (ErrorKind.NO_SUCH_PARTITION, "did you mean app1?")
