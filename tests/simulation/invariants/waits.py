"""A `wait` ends once there is nothing to wait for any more."""

from flashdeck.job_state import name_of, stands_still
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Wish


class Waits(Rule):
    """Whoever waits for an image knows afterwards of each board that it has it, or why not."""

    name = "waits"
    sentence = "Each board is decided, or one cannot get there and nothing is under way on the others."

    def answered(self, ask: Ask) -> None:
        """Judge who is left open by an answer."""
        if ask.wish is not Wish.WAIT or ask.refused:
            return
        told = {board for board, _ in ask.ends} | set(ask.left_open)
        if missing := set(ask.boards) - told:
            raise self.broken(f"{ask.client} waits for {ask.place} on {sorted(missing)}, and is told nothing of them")
        has_failed = any(kind for _, kind in ask.ends)
        for board, job in ask.left_open.items():
            if not has_failed or job is None or not stands_still(job.status):
                raise self.broken(
                    f"the wait of {ask.client} for {ask.place} on {board} is over, and neither is it there, nor has it "
                    f"failed: its job is {'none' if job is None else name_of(job.status)}"
                )
