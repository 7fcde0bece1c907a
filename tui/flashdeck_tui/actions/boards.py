"""Actions on boards: hold and release, arm and disarm, take and give back, leave DFU mode."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from flashdeck import api
from flashdeck.job_state import Blocked
from flashdeck.model import BoardHold, BoardState, HoldBy, Presence
from flashdeck.names import few, literal
from flashdeck.taking import ourselves
from flashdeck.words.boards import armed_text, arming_text, hold_text, lease_text, where_word
from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.actions.many import (
    Answers,
    Target,
    able,
    are,
    boards_text,
    by_host,
    literals,
    none_of,
    on_each_host,
    target_of,
    targets,
    tell,
)
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.store import Store
from flashdeck_tui.undo import Undo

V = TypeVar("V")

USUAL_REASON = "by hand"
"""The reason of a hold where the person types none."""
TAKE_SECONDS = 30.0
"""Seconds that it is tried to take boards: who presses the key looks at the screen."""


async def _hold_or_release(context: Context) -> None:
    if not _are_on_hold(context):
        await _hold(context)
    elif just := _just_held(context):
        context.tell(just)
    else:
        await _release(context)


def _are_on_hold(context: Context) -> bool:
    boards = targets(context)
    return bool(boards) and all(target.board.hold is not None for target in boards)


def _hold_word(context: Context) -> str:
    return "Release" if _are_on_hold(context) else "Hold"


def _just_held(context: Context) -> str:
    """Return that boards were put on hold a moment ago; "" for none. Who pressed the key may have meant to do that."""
    just = [target for target in targets(context) if target.host.store.is_just_held(target.name)]
    if not just:
        return ""
    held = just[0].board.hold
    why = f" ({held.reason})" if len(just) == 1 and held is not None else ""
    return f"{boards_text(just)} {are(just)} on hold since a moment ago{why}: {context.keys['hold']} again releases."


async def _hold(context: Context) -> None:
    boards = able(context, _hold_why_not)
    reason = await context.ask(f"Put {boards_text(boards)} on hold", "the reason, which everybody sees", USUAL_REASON)
    if reason is None:
        return
    answers = await on_each_host(context, boards, lambda mine: api.Hold(boards=literals(mine), reason=reason))
    tell(context, f"{boards_text(boards)} {are(boards)} on hold: {reason}.", answers)
    for host, reply in answers.given:
        held = {board.name: board.hold for board in reply.boards if board.hold is not None}
        if held:
            _remember_hold(context, host, held)


def _remember_hold(context: Context, host: FleetHost, held: Mapping[str, BoardHold]) -> None:
    def why_not(store: Store) -> str:
        for name, hold in held.items():
            board = store.boards.get(name)
            if board is None or board.hold != hold:
                return _changed(name)
            if board.doubts or any(isinstance(job.status, Blocked) for job in store.jobs_at(name)):
                key = context.keys["release"]
                return f"{name} has blocked jobs or faults, which a release would let go, too: use {key} for that."
        return ""

    names = few([context.fleet.shown_name(host, name) for name in held])
    context.remember(
        Undo(
            deed=f"hold {names}",
            done=f"No longer on hold: {names}.",
            why_not=why_not,
            calls=(api.Release(boards=tuple(map(literal, held))),),
        ),
        host=host,
    )


def _hold_why_not(target: Target) -> str | None:
    board = target.board
    return f"{target.shown} is already {hold_text(board)}." if board.hold is not None else None


async def _release(context: Context) -> None:
    boards = able(context, _release_why_not)
    forced = {target.host.name for target in boards if _needs_force(target)}
    others = {target.shown: whose for target in boards if target.host.name in forced and (whose := _whose(target))}
    if others and not await context.confirm(
        f"Release {few(others)} all the same?", "; ".join(f"{shown} is {whose}" for shown, whose in others.items())
    ):
        return

    def ask(mine: list[Target]) -> api.Params[api.BoardList]:
        return api.Release(boards=literals(mine), force=mine[0].host.name in forced)

    answers = await on_each_host(context, boards, ask)
    tell(context, f"{boards_text(boards)} {are(boards)} released.", answers)
    for host, _ in answers.given:
        mine = [target.board for target in boards if target.host is host]
        held = {board.name: board.hold for board in mine if board.hold and board.hold.by is HoldBy.PERSON}
        if held:
            _remember_release(context, host, held)


def _remember_release(context: Context, host: FleetHost, held: Mapping[str, BoardHold]) -> None:
    def why_not(store: Store) -> str:
        free = (name in store.boards and store.boards[name].hold is None for name in held)
        return next((_changed(name) for name, is_free in zip(held, free, strict=True) if not is_free), "")

    reasons = {name: hold.reason for name, hold in held.items()}
    calls = [api.Hold(boards=tuple(map(literal, names)), reason=why) for why, names in _alike(reasons).items()]
    names = few([context.fleet.shown_name(host, name) for name in held])
    context.remember(
        Undo(deed=f"release {names}", done=f"On hold again: {names}.", why_not=why_not, calls=tuple(calls)), host=host
    )


def _alike(values: Mapping[str, V]) -> dict[V, list[str]]:
    """Return the names by the value that they share."""
    names: dict[V, list[str]] = {}
    for name, value in values.items():
        names.setdefault(value, []).append(name)
    return names


def _changed(name: str) -> str:
    return f"{name} has changed since: look at it first."


def _whose(target: Target) -> str:
    """Return what others have there, and who, in words: by force a release ends it; "" for nothing."""
    board = target.board
    hold = hold_text(board) if _is_anothers_hold(target) else ""
    lease = lease_text(board.lease) if board.lease is not None and _is_anothers_lease(board) else ""
    return " and ".join(filter(None, (hold, lease)))


def _needs_force(target: Target) -> bool:
    return _is_anothers_hold(target) or (_is_anothers_lease(target.board) and not _has_more(target))


def _is_anothers_hold(target: Target) -> bool:
    hold = target.board.hold
    return hold is not None and hold.user not in ("", target.host.link.state.user)


def _is_anothers_lease(board: BoardState) -> bool:
    """Tell whether another client has taken a board: what is acquired in labgrid ends there."""
    return board.lease is not None and not board.lease.place and not _is_ours(board)


def _has_more(target: Target) -> bool:
    """Tell whether a release has anything to do but to end a lease."""
    board, store = target.board, target.host.store
    return bool(board.hold or board.doubts or any(isinstance(job.status, Blocked) for job in store.jobs_at(board.name)))


def _release_why_not(target: Target) -> str | None:
    board = target.board
    if _has_more(target) or _is_anothers_lease(board):
        return None
    if board.lease is not None and board.lease.place:
        return f"{target.shown} is {lease_text(board.lease)}: only labgrid ends that."
    return f"{target.shown} is {hold_text(board)}."


async def _arm(context: Context) -> None:
    boards = able(context, _arm_why_not)
    answers = await on_each_host(context, boards, lambda mine: api.Arm(boards=literals(mine)))
    _armed(context, boards, answers, armed=True, once=False)


def _arm_why_not(target: Target) -> str | None:
    board = target.board
    return f"{target.shown} is already {armed_text(board)}." if board.armed and not board.once else None


async def _arm_once(context: Context) -> None:
    boards = able(context, _arm_once_why_not)
    answers = await on_each_host(context, boards, lambda mine: api.Arm(boards=literals(mine), once=True))
    _armed(context, boards, answers, armed=True, once=True)


def _arm_once_why_not(target: Target) -> str | None:
    return f"{target.shown} is already {armed_text(target.board)}." if target.board.once else None


async def _disarm(context: Context) -> None:
    boards = able(context, _disarm_why_not)
    answers = await on_each_host(context, boards, lambda mine: api.Disarm(boards=literals(mine)))
    _armed(context, boards, answers, armed=False, once=False)


def _disarm_why_not(target: Target) -> str | None:
    return None if target.board.armed else f"{target.shown} is already {armed_text(target.board)}."


def _armed(
    context: Context, boards: Sequence[Target], answers: Answers[api.BoardList], *, armed: bool, once: bool
) -> None:
    """Say how boards are armed now, and let each be what it was before."""
    tell(context, f"{boards_text(boards)} {are(boards)} {arming_text(armed=armed, once=once)}.", answers)
    for host, _ in answers.given:
        before = {target.name: _arming(target.board) for target in boards if target.host is host}
        _remember_arming(context, host, before, after=(armed, once))


def _arming(board: BoardState) -> tuple[bool, bool]:
    return board.armed, board.once


def _remember_arming(
    context: Context, host: FleetHost, before: Mapping[str, tuple[bool, bool]], *, after: tuple[bool, bool]
) -> None:
    def why_not(store: Store) -> str:
        for name in before:
            board = store.boards.get(name)
            if board is None or _arming(board) != after:
                return _changed(name)
        return ""

    calls = [
        _arming_call(tuple(map(literal, names)), armed=armed, once=once)
        for (armed, once), names in _alike(before).items()
    ]
    shown = {context.fleet.shown_name(host, name): was for name, was in before.items()}
    told = "; ".join(
        f"{few(names)} {arming_text(armed=armed, once=once)}" for (armed, once), names in _alike(shown).items()
    )
    deed = "disarm" if not after[0] else "arm once" if after[1] else "arm"
    context.remember(
        Undo(deed=f"{deed} {few(shown)}", done=f"As before: {told}.", why_not=why_not, calls=tuple(calls)),
        host=host,
    )


def _arming_call(boards: tuple[str, ...], *, armed: bool, once: bool) -> api.Params[api.BoardList]:
    return api.Arm(boards=boards, once=once) if armed else api.Disarm(boards=boards)


async def _take(context: Context) -> None:
    boards = targets(context)
    ours = [target for target in boards if _is_ours(target.board)]
    if ours:
        hosts = [mine[0].host for mine in by_host(ours).values()]
        freed = [
            target_of(context, host, board) for host in hosts for board in host.store.boards.values() if _is_ours(board)
        ]
        answers = await on_each_host(context, ours, lambda _: api.EndLease())
        tell(context, f"{boards_text(freed)} {are(freed)} given back.", answers)
        return
    answers = await on_each_host(
        context,
        boards,
        lambda mine: api.Take(boards=literals(mine), by=ourselves(), reason="from the screen", timeout=TAKE_SECONDS),
    )
    what = "it" if len(boards) == 1 else "them"
    tell(
        context,
        f"{boards_text(boards)} {are(boards)} yours until you quit: {context.keys['take']} gives {what} back.",
        answers,
    )


def _is_ours(board: BoardState) -> bool:
    return board.lease is not None and board.lease.by == ourselves()


def _take_word(context: Context) -> str:
    return "Give back" if any(_is_ours(target.board) for target in targets(context)) else "Take"


def _take_why_not(context: Context) -> str | None:
    boards = targets(context)
    if any(_is_ours(target.board) for target in boards):
        return None
    for target in boards:
        taken = [name for name, board in target.host.store.boards.items() if _is_ours(board)]
        if taken:
            key = context.keys["take"]
            return f"You have {few(taken)} already: give back with {key} there, then mark all that you need."
    return next(filter(None, map(_not_free, boards)), None)  # all of them, or none


def _not_free(target: Target) -> str | None:
    board = target.board
    if board.hold is not None:
        return f"{target.shown} is {hold_text(board)}: release it first."
    return f"{target.shown} is {lease_text(board.lease)}." if board.lease is not None else None


async def _reset(context: Context) -> None:
    boards = able(context, _reset_why_not)
    torn = [target for target in boards if _incomplete(target.board)]
    if torn:
        parts = {name for target in torn for name in _incomplete(target.board)}
        question = f"Take {boards_text(boards)} out of DFU mode?"
        lost = f"{', '.join(sorted(parts))} of {boards_text(torn)} is incomplete: it may not start. A flash mends it."
        if not await context.confirm(question, lost):
            return

    def ask(mine: list[Target]) -> api.Params[api.JobList]:
        return api.ResetBoards(boards=literals(mine), force=any(target in torn for target in mine))

    answers = await on_each_host(context, boards, ask)
    leaves = "leaves" if len(boards) == 1 else "leave"
    tell(context, f"{boards_text(boards)} {leaves} DFU mode.", answers)


def _incomplete(board: BoardState) -> list[str]:
    return [part.name for part in board.partitions if part.contents is not None and not part.contents.complete]


def _reset_why_not(target: Target) -> str | None:
    board = target.board
    if board.hold is not None:
        return f"{target.shown} is {hold_text(board)}: release it first."
    if board.presence is not Presence.DFU:
        where = board.away or f"it is {where_word(board).text}"
        return f"{target.shown} is not in DFU mode: {where}."
    return None


ACTIONS: tuple[Action, ...] = (
    Action(
        id="hold",
        key="H",
        title="Hold",
        description="Put the board on hold, with a reason: no job starts on it. Again: release it.",
        needs=Needs.BOARD,
        run=_hold_or_release,
        word=_hold_word,
        changes=True,
        command="hold",
    ),
    Action(
        id="release",
        key="L",
        title="Release",
        description="Release the board and its blocked jobs; what another has there, after a question.",
        needs=Needs.BOARD,
        check=none_of(_release_why_not),
        run=_release,
        changes=True,
        command="release",
    ),
    Action(
        id="arm",
        key="A",
        title="Arm",
        description="Arm the board: new builds are flashed.",
        needs=Needs.BOARD,
        check=none_of(_arm_why_not),
        run=_arm,
        changes=True,
        command="arm",
    ),
    Action(
        id="arm-once",
        key="O",
        title="Arm once",
        description="Arm the board for one job: the next build is flashed, those after it are offered.",
        needs=Needs.BOARD,
        check=none_of(_arm_once_why_not),
        run=_arm_once,
        changes=True,
        command="arm",
    ),
    Action(
        id="disarm",
        key="Z",
        title="Disarm",
        description="Disarm the board: new builds are offered. Queued jobs stay queued.",
        needs=Needs.BOARD,
        check=none_of(_disarm_why_not),
        run=_disarm,
        changes=True,
        command="disarm",
    ),
    Action(
        id="take",
        key="T",
        title="Take",
        word=_take_word,
        description="Take the board for yourself until you quit: only your jobs start. Again: give it back.",
        needs=Needs.BOARD,
        check=_take_why_not,
        run=_take,
        changes=True,
        command="take",
    ),
    Action(
        id="reset",
        key="x",
        title="Leave DFU",
        description="Take the board out of DFU mode: it starts its application.",
        needs=Needs.BOARD,
        check=none_of(_reset_why_not),
        run=_reset,
        changes=True,
        command="reset",
    ),
)
