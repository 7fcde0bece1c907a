"""Actions on what was done and said: take the last deed back, look at all messages."""

from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.views.message_lines import message_lines


async def _undo(context: Context) -> None:
    host = context.host
    undo = context.undos.newest(host.name)
    if undo is None:
        return
    context.undos.forget(host.name, undo)
    if why := undo.why_not(host.store):
        context.tell(f"'{undo.deed}' can no longer be undone: {why}", is_error=True)
        return
    for call in undo.calls:
        await context.call(call, host=host)
    undo.here()
    context.tell(f"Undone: {undo.deed}. {undo.done}")


def _undo_why_not(context: Context) -> str | None:
    where = f" on {context.host.name}" if context.host.name else ""
    return None if context.undos.newest(context.host.name) else f"There is nothing to undo{where}."


async def _messages(context: Context) -> None:
    context.messages.read()
    context.show_lines("messages, the newest first", message_lines(context.messages.all))


ACTIONS: tuple[Action, ...] = (
    Action(
        id="undo",
        key="u",
        title="Undo",
        description="Take the last deed back: hold, release, arm, disarm, move, mark all.",
        needs=Needs.DAEMON,
        check=_undo_why_not,
        run=_undo,
    ),
    Action(
        id="messages",
        key="exclamation_mark",
        title="Messages",
        description="Show all that was said on the status line, errors with what to do about them.",
        run=_messages,
    ),
)
