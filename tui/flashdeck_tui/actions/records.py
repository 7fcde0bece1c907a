"""The records: the history of a board, and the full log."""

from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.pages import Page


async def _history(context: Context) -> None:
    context.open(Page.HISTORY)


async def _log(context: Context) -> None:
    context.open(Page.LOG)


async def _board_log(context: Context) -> None:
    context.open(Page.BOARD_LOG)


ACTIONS: tuple[Action, ...] = (
    Action(
        id="history",
        key="h",
        title="History",
        description="Show past jobs of this board or partition, how long they took, and go back from there.",
        needs=Needs.DAEMON,
        run=_history,
        command="history",
    ),
    Action(
        id="log",
        key="3",
        title="Log",
        description="Show the full log: filter, search, page back, copy.",
        run=_log,
        command="logs",
    ),
    Action(
        id="board-log",
        key="",
        title="Log of this board",
        description="Show the full log of this board only.",
        needs=Needs.BOARD,
        run=_board_log,
    ),
)
