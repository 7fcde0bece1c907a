"""The slots, for those who plug units in."""

from flashdeck_tui.actions.action import Action, Context
from flashdeck_tui.pages import Page


async def _show_slots(context: Context) -> None:
    context.open(Page.SLOTS)


def _why_no_slots(context: Context) -> str | None:
    """Also without a connection there is something to see: how things were."""
    if any(host.store.slots for host in context.fleet):
        return None
    return "There is no slot: write [slots.NAME] with port and profile into the configuration."


ACTIONS: tuple[Action, ...] = (
    Action(
        id="slots",
        key="4",
        title="Slots",
        description="Show the slots: PASS or FAIL of each unit in large letters, the lot, the last failures. "
        "Again: the boards.",
        check=_why_no_slots,
        run=_show_slots,
        command="units",
    ),
)
