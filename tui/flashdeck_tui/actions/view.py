"""Moving about: the next problem, the filter, other screens, quitting."""

from flashdeck.text import counted
from flashdeck_tui.actions.action import Action, Context, Run
from flashdeck_tui.board_list import Grouping, SortOrder, next_problem
from flashdeck_tui.middle import Middle
from flashdeck_tui.undo import Undo


def _to_problem(step: int) -> Run:
    async def go(context: Context) -> None:
        place = next_problem(context.shown_boards, context.selection, step)
        if place is not None:
            context.select(place)

    return go


def _no_problem(context: Context) -> str | None:
    if any(each.problem is not None for each in context.shown_boards):
        return None
    shown = " among the boards shown; Esc shows all" if context.filter else ""
    return f"There is no problem{shown}."


def _opening(middle: Middle) -> Run:
    async def open_it(context: Context) -> None:
        context.open_middle(Middle.BOARDS if context.middle is middle else middle)

    return open_it


async def _boards(context: Context) -> None:
    context.open_middle(Middle.BOARDS)


async def _sort(context: Context) -> None:
    listing = context.listing.next_order()
    context.arrange(listing)
    context.tell(
        f"Boards are sorted by {listing.order}." if listing.order is not SortOrder.WORST else "The worst is first."
    )


async def _group(context: Context) -> None:
    listing = context.listing.next_grouping()
    context.arrange(listing)
    context.tell(
        "Boards stand in no groups."
        if listing.grouping is Grouping.NONE
        else f"Boards are grouped by {listing.grouping}. {context.keys['details']} closes or opens a group."
    )


def _only_boards(context: Context) -> str | None:
    if context.middle is not Middle.QUEUE:
        return None
    return f"The queue has an order of its own. Press {context.keys['boards']} for the boards."


async def _mark(context: Context) -> None:
    selection = context.selection
    context.toggle_marks([selection.whole_board])
    context.move_on()


def _mark_why_not(context: Context) -> str | None:
    known = context.selection.board in context.store.boards
    return _only_boards(context) or (None if known else "Select a board first.")


async def _mark_all(context: Context) -> None:
    places = [each.place for each in context.shown_boards]
    before = context.marks
    context.toggle_marks(places)
    after = context.marks
    context.remember(
        Undo(
            deed="mark all",
            done=f"{counted(len(before), 'board')} marked, as before.",
            why_not=lambda _: "" if context.marks == after else "the marks have changed since.",
            here=lambda: context.toggle_marks(tuple(before ^ after)),
        )
    )
    count = len(context.marks)
    context.tell(f"{counted(count, 'board')} marked." if count else "No board is marked.")


def _mark_all_why_not(context: Context) -> str | None:
    return _only_boards(context) or (None if context.shown_boards else "There is no board to mark.")


async def _filter(context: Context) -> None:
    context.open_filter()


async def _back(context: Context) -> None:
    context.go_back()


async def _details(context: Context) -> None:
    group = context.selection.group
    if group:
        context.arrange(context.listing.toggled(group))
    else:
        context.show_details()


async def _help(context: Context) -> None:
    context.show_help()


async def _palette(context: Context) -> None:
    context.show_palette()


async def _quit(context: Context) -> None:
    context.quit()


ACTIONS: tuple[Action, ...] = (
    Action(
        id="next-problem",
        key="n",
        title="Next problem",
        short="Next",
        description="Go to the next board that needs you.",
        check=_no_problem,
        run=_to_problem(1),
    ),
    Action(
        id="previous-problem",
        key="N",
        title="Previous problem",
        description="Go back to the board before that needs you.",
        check=_no_problem,
        run=_to_problem(-1),
    ),
    Action(
        id="filter",
        key="slash",
        title="Filter",
        description="Show only boards with this name, state, profile, version or host. Several words: all of them.",
        run=_filter,
    ),
    Action(
        id="clear-filter",
        key="escape",
        title="Back",
        description="Back: leave the queue or the wall, show all boards, take the marks away.",
        run=_back,
    ),
    Action(
        id="mark",
        key="space",
        title="Mark",
        description="Mark this board, or no longer. What you do then is done to all marked boards.",
        check=_mark_why_not,
        run=_mark,
    ),
    Action(
        id="mark-all",
        key="asterisk",
        title="Mark all",
        description="Mark all boards that are shown, or none of them.",
        check=_mark_all_why_not,
        run=_mark_all,
    ),
    Action(
        id="sort",
        key="s",
        title="Sort",
        description="Sort the boards: worst first, by name, state, version or last flash.",
        check=_only_boards,
        run=_sort,
    ),
    Action(
        id="group",
        key="z",
        title="Group",
        description="Group the boards: not at all, by profile, host or state.",
        check=_only_boards,
        run=_group,
    ),
    Action(
        id="boards",
        key="1",
        title="Boards",
        description="Show the boards.",
        run=_boards,
    ),
    Action(
        id="queue",
        key="2",
        title="Queue",
        description="Show the jobs: what runs, what waits in which order, what has ended. Again: the boards.",
        run=_opening(Middle.QUEUE),
    ),
    Action(
        id="wall",
        key="w",
        title="Wall",
        description="Show the boards as tiles, for a large screen. Again: the list.",
        run=_opening(Middle.WALL),
    ),
    Action(
        id="details",
        key="enter",
        title="Details",
        description="Show details.",
        run=_details,
    ),
    Action(id="help", key="question_mark", title="Help", description="Show all keys and words.", run=_help),
    Action(
        id="palette",
        key="ctrl+p",
        title="Commands",
        description="Find an action by name.",
        run=_palette,
    ),
    Action(
        id="quit",
        key="q",
        title="Quit",
        description="Quit. The daemon keeps running; the daemon of a demo ends.",
        run=_quit,
    ),
)
