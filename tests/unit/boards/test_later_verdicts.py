"""What comes to light of an application changes what is shown of the images that were judged by that very start."""

from pathlib import Path

from msgspec.structs import replace

from flashdeck.config import Board
from flashdeck.job_state import Verified
from flashdeck.model import Contents, DaemonState
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.boards.later_verdicts import LaterVerdicts
from flashdeckd.jobs.book import JobBook
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from lane_rig import PROFILE

BOARD = Board("left", PROFILE, serial="A1")
SILENT = Judgement(verdict=Verdict.SILENT, after=1.6)
RUNS = Judgement(verdict=Verdict.RUNS, after=4.2)


async def test_an_equal_verdict_of_an_earlier_start_stays(tmp_path: Path) -> None:
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    try:
        book = JobBook(hub, journal, await journal.load(), lambda _: None)
        earlier = Contents(sha256="a", size=1, flashed_at=1.0, verified=Verified.YES, job=1, verdict=replace(SILENT))
        await book.record("left", "app1", earlier)
        await book.record("left", "partition2", replace(earlier, job=2, verdict=SILENT))
        await LaterVerdicts(hub, book).note(BOARD, RUNS, SILENT)
        verdicts = [book.contents("left", name) for name in ("app1", "partition2")]
        assert [each and each.verdict for each in verdicts] == [SILENT, RUNS]
    finally:
        await journal.close()
