"""The flash map of a board."""

from flashdeck_tui.actions.action import Action, Context
from flashdeck_tui.pages import Page


async def _show_map(context: Context) -> None:
    context.open(Page.FLASH_MAP)


def _why_no_map(context: Context) -> str | None:
    """Also without a connection there is something to see: how things were."""
    return None if context.selection.board in context.store.boards else "Select a board first."


ACTIONS: tuple[Action, ...] = (
    Action(
        id="flash-map",
        key="m",
        title="Map",
        description="Show the board's flash, sector by sector.",
        check=_why_no_map,
        run=_show_map,
    ),
)
