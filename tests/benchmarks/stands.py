"""The boards on which flashdeck and its peers are measured side by side, and what the rows then say of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.rows import FLASHDECK, Cost, Measure, Row, Unit
from flashdeckd.virtual.spec import BoardSpec, Model, Start, Timing

EVERY_JOB = "any of these jobs"
_OWN_WORK = 0.004
"""Seconds that a program may need between two requests without it being a pause: the machine is an emulated one."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One kind of board."""

    name: str
    model: Model
    claim: int | None = None
    """bwPollTimeout in milliseconds, where it is not what the model has by default."""

    def spec(self, port: int, slowdown: float) -> BoardSpec:
        """The board in that port: it is as slow as real ones times `slowdown`, and comes up in its bootloader."""
        return BoardSpec(
            name=f"{self.model.value}{port}",
            model=self.model,
            port=port,
            serial=f"BENCH{port:04}",
            runtime=True,
            plugged=False,
            start=Start.DFU,
            timing=Timing.REAL,
            attach_time=0.0,
            slowdown=slowdown,
            shortest_pause=_OWN_WORK,
            poll_erase=self.claim,
            poll_write=self.claim,
        )


CLASSIC = Stand("ST classic, 1 KiB, claims 50 ms", Model.CLASSIC)
USBX = Stand("ST USBX, 1 KiB, claims 244 ms", Model.USBX)
ROM = Stand("ST ROM, 2 KiB, claims 50 and 5 ms", Model.ROM)
PATIENT = Stand("ST classic, 1 KiB, claims 244 ms", Model.CLASSIC, claim=244)
"""Claims what USBX does, and is one that dfu-util can flash."""


@dataclass(frozen=True, slots=True)
class Result:
    """One job of one tool, on one board or on several at once."""

    tool: str
    job: str
    cost: Cost
    """Of the first board."""
    seconds: float
    """From the first DFU request to any of the boards to the end of the last, at the speed of real boards."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A tool that did not do it."""

    tool: str
    reason: str


def side_by_side(what: str, ours: Sequence[Result], peers: Sequence[Result | Failure]) -> Iterator[Row]:
    """A row for each of flashdeck's jobs, and one for each peer, which writes all of an image whatever is there.

    Where a peer is ahead, flashdeck's row says so, and why.
    """
    measured = [peer for peer in peers if isinstance(peer, Result)]
    for result in ours:
        yield _row(what, result, "; ".join(_behind(result, measured)))
    for peer in peers:
        match peer:
            case Failure():
                yield Row(what=f"{what}: {EVERY_JOB}", tool=peer.tool, remark=f"failed: {peer.reason}")
            case Result():
                remark = "all of the image is written, whatever is there; nothing is read back"
                yield _row(what, peer, remark if not peer.cost.uploads else "")


def _row(what: str, result: Result, remark: str) -> Row:
    ratio = Measure(result.seconds / result.cost.model_seconds, Unit.TIMES)
    return Row(
        what=f"{what}: {result.job}",
        tool=result.tool,
        cost=result.cost,
        seconds=result.seconds,
        measure=ratio,
        remark=remark,
    )


def _behind(ours: Result, peers: Sequence[Result]) -> Iterator[str]:
    if ours.tool != FLASHDECK:
        raise ValueError(f"this is a result of {ours.tool}")
    faster = [peer.tool for peer in peers if ours.seconds > peer.seconds]
    sparing = [peer.tool for peer in peers if _transfers(ours.cost) > _transfers(peer.cost)]
    if faster:
        yield f"slower than {' and '.join(faster)}: it reads what is there and what it wrote"
    if sparing:
        more = f"more requests than {' and '.join(sparing)}"
        yield f"{more}: it reads what is there and what it wrote, and asks busy boards"


def _transfers(cost: Cost) -> int:
    return cost.requests + cost.uploads
