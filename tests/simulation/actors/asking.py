"""A call of a client, as the rules hear of it."""

from typing import TYPE_CHECKING, Any

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.value import Value
from simulation.seen import Ask, Wish

if TYPE_CHECKING:
    from simulation.world import World

Call = tuple[Wish, api.Params[Any]]


async def ask(world: "World", client: Client, name: str, call: Call, *, read_only: bool = False) -> Value | None:
    """Ask, and tell the rules of the answer; return it, None where there is none or the daemon refuses."""
    wish, params = call
    seen = world.witness.seen
    asked = Ask(
        step=seen.step,
        life=seen.life,
        at=world.baton.now,
        client=name,
        wish=wish,
        boards=tuple(getattr(params, "boards", ())),
        place=getattr(params, "partition", ""),
        sha256=getattr(params, "sha256", ""),
        job=getattr(params, "job", 0),
        timeout=getattr(params, "timeout", None),
        is_read_only=read_only,
    )
    world.witness.asked(asked)
    answer: Value | None = None
    try:
        answer = await client.call(params)
    except ConnectionFailedError:
        asked.is_abandoned = True
        return None
    except FlashdeckError as error:
        asked.refused = error.kind.value
    if isinstance(answer, api.JobList) and wish is not Wish.LOOK:
        asked.jobs = tuple(job.id for job in answer.jobs)
    if isinstance(answer, api.WaitResult):
        note_ends(asked, answer)
    asked.answered_at = world.baton.now
    world.witness.answered(asked)
    return answer


def note_ends(asked: Ask, answer: api.WaitResult) -> None:
    """Note how a wait has ended, as the rules hear of it."""
    asked.ends = tuple(
        (each.board, "" if each.failure is None else each.failure.kind.value)
        for each in answer.boards
        if each.failure is not None or each.is_there
    )
    asked.left_open = {each.board: each.job for each in answer.boards if each.failure is None and not each.is_there}
