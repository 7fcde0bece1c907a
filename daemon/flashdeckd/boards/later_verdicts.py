"""The discoveries about an application after its verdict: they change what is shown, and no answer that was given."""

from msgspec.structs import replace

from flashdeck.config import Board
from flashdeck.errors import FlashdeckError
from flashdeck.model import LogLevel
from flashdeck.verdict import Judgement, does_not_run
from flashdeck.words.verdicts import judgement_story
from flashdeckd.jobs.book import JobBook
from flashdeckd.state.hub import Hub


class LaterVerdicts:
    """Records what changes a verdict. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, book: JobBook) -> None:
        self._hub = hub
        self._book = book

    async def note(self, board: Board, judgement: Judgement, before: Judgement) -> None:
        """Let `judgement` take the place of the verdict `before` in all that it was given for; the log says so."""
        level = LogLevel.WARNING if does_not_run(judgement) else LogLevel.INFO
        self._hub.log(judgement_story(judgement), level=level, board=board.name)
        for name in board.profile.partitions:
            contents = self._book.contents(board.name, name)
            if contents is None or contents.verdict is not before:
                continue  # also where it is equal: an earlier start may have ended in the very same way
            try:
                await self._book.record(board.name, name, replace(contents, verdict=judgement))
            except FlashdeckError as error:
                text = f"could not be recorded: {error.message}"
                self._hub.log(text, level=LogLevel.WARNING, board=board.name)
