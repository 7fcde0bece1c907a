"""A small world without a daemon, in which the rules of the simulation are tried: one board, two partitions."""

from dataclasses import replace

import msgspec

from flashdeck.console_kinds import ConsoleCondition
from flashdeck.errors import ErrorKind
from flashdeck.job_state import (
    CHANGES,
    Done,
    Failed,
    Failure,
    JobKind,
    JobResult,
    JobStatus,
    Origin,
    Phase,
    Queued,
    Running,
    Verified,
    Written,
)
from flashdeck.model import (
    ArtifactState,
    BoardState,
    ConsoleState,
    Contents,
    Disposition,
    Event,
    JobState,
    Layer,
    PartitionState,
    Presence,
)
from flashdeck.verdict import Judgement
from simulation.invariants.checker import Checker
from simulation.invariants.memory import name_of
from simulation.seen import (
    Ask,
    Build,
    Device,
    Did,
    FlashChange,
    Named,
    Place,
    Product,
    Said,
    Seen,
    Setup,
    Signs,
    Spoken,
    Started,
    Wish,
)

BASE = 0x08000000
SECTOR = 256
APP = Place(name="app", address=BASE + 2 * SECTOR, size=4 * SECTOR, image="/b/APP.bin")
BOOT = Place(name="boot", address=BASE, size=2 * SECTOR, protected=True)
DATA = Place(name="data", address=BASE + 6 * SECTOR, size=2 * SECTOR, is_data=True, guards=frozenset({"fits"}))
PRODUCT = Product(
    name="product",
    places={each.name: each for each in (BOOT, APP, DATA)},
    dfu_id=(0x0483, 0xDF11),
    app_id=(0x0483, 0x5740),
    ram=((0x20000000, 0x20040000),),
)
BOARD = Named(name="left", product=PRODUCT, serial="A")
SIGNS = Signs(within=3.0, stays=0.0, partition="app")
VERSION = "flashdeck-test 1.0.1"
"""The version of all images here, and what their applications say of it."""
VECTORS = (0x20020000).to_bytes(4, "little") + (APP.address + 0x21).to_bytes(4, "little")


def program(size: int, seed: int = 1) -> bytes:
    """Return an image that the guards accept."""
    return (VECTORS + bytes((at * 7 + seed) % 251 for at in range(size)))[:size]


class Scene:
    """See above. `do` and its kin do what a daemon would, by default rightly."""

    def __init__(self) -> None:
        self.bytes = bytearray(b"\x55" * (8 * SECTOR))
        self.seen = Seen(life=1, is_alive=True, now=100.0)
        self.device = Device(
            name="device",
            base=BASE,
            content=self.bytes,
            sectors=tuple((BASE + at, BASE + at + SECTOR) for at in range(0, 8 * SECTOR, SECTOR)),
            word=16,
            dfu_id=PRODUCT.dfu_id,
            app_id=PRODUCT.app_id,
            serial="A",
            app_serial="A",
            port="1-1",
            is_plugged=True,
            mode="dfu",
        )
        self.seen.devices["device"] = self.device
        self.checker = Checker(self.seen)
        self.checker.took(Setup({"product": PRODUCT}, {"left": BOARD}))
        self.jobs = 0
        self.board = BoardState(
            name="left",
            profile="product",
            presence=Presence.DFU,
            serial="A",
            port="1-1",
            partitions=tuple(
                PartitionState(name=p.name, address=p.address, size=p.size, protected=p.protected, image=p.image)
                for p in PRODUCT.places.values()
            ),
        )
        self.show(self.board)

    # What the world does.

    def build(self, data: bytes, place: str = "app", offset: int = 0) -> Build:
        """Make an image."""
        pieces = ((offset, data),)
        made = Build(sha256=name_of(pieces), pieces=pieces, product="product", place=place, path=f"/b/{place}.bin")
        self.seen.builds[made.sha256] = self.seen.newest["product", place] = made
        return made

    def ask(self, wish: Wish, *, jobs: tuple[int, ...] = (), read_only: bool = False, refused: str = "") -> Ask:
        """A client asks, and is answered at once."""
        asked = Ask(step=1, life=1, at=self.seen.now, client="c", wish=wish, boards=("left",), place="app", jobs=jobs)
        asked.is_read_only = read_only
        self.checker.asked(asked)
        asked.answered_at, asked.refused = self.seen.now, refused
        self.checker.answered(asked)
        self.seen.now += 10
        return asked

    def change(self, did: Did, address: int, after: bytes, **more: object) -> None:
        """Change the flash, and tell of it."""
        at = address - BASE
        before = bytes(self.bytes[at : at + len(after)])
        self.bytes[at : at + len(after)] = after
        running = self.checker.attempts.running("left")
        change = FlashChange(
            step=1,
            life=1,
            device="device",
            lane="left",
            job=running.job.id if running is not None else 0,
            did=did,
            address=address,
            size=len(after),
            before=before,
            after=b"" if did is Did.ERASED else after,
        )
        self.checker.changed(replace(change, **more))  # type: ignore[arg-type]  # fields of it

    def erase(self, *sectors: int) -> None:
        """Erase sectors by their numbers."""
        for number in sectors:
            self.change(Did.ERASED, BASE + number * SECTOR, b"\xff" * SECTOR)

    def write(self, address: int, data: bytes) -> None:
        """Write whole words."""
        self.change(Did.PROGRAMMED, address, data.ljust(-(-len(data) // 16) * 16, b"\xff"))

    def give_console(self, signs: Signs = SIGNS) -> None:
        """From now on the board has a console, by which its starts are judged."""
        product = replace(PRODUCT, signs=signs)
        self.checker.took(Setup({"product": product}, {"left": replace(BOARD, product=product)}))
        self.show(
            msgspec.structs.replace(self.board, console=ConsoleState(port="app", condition=ConsoleCondition.OPEN))
        )

    def leave(self, *said: tuple[float, str]) -> None:
        """The board leaves DFU mode, and its application says lines, so many seconds later each."""
        at = self.seen.now
        lines = tuple(Said(at + after, text) for after, text in said)
        self.checker.spoke(Spoken(device="device", at=at, visible_at=at + 0.1, lines=lines))
        self.device.mode = "app"
        self.checker.plugged()
        self.checker.started(Started(step=1, device="device", lane="left", job=self.jobs))
        self.show(msgspec.structs.replace(self.board, presence=Presence.APP))

    def enter(self) -> None:
        """The board is in DFU mode again."""
        self.device.mode = "dfu"
        self.checker.plugged()
        self.show(msgspec.structs.replace(self.board, presence=Presence.DFU))

    def start(self, build: Build, *said: tuple[float, str], origin: Origin = Origin.BUILD) -> JobState:
        """Flash a program, and start it; much later its job has not ended yet."""
        self.seen.builds[build.sha256] = self.seen.newest["product", build.place] = replace(build, version=VERSION)
        job = self.write_all(self.run(self.job(build, origin=origin)), build)
        self.leave(*said)
        self.seen.now += 20
        return job

    def judge(self, job: JobState, verdict: Judgement, *, failed: ErrorKind | None = None) -> JobState:
        """Show the verdict of a job that was started, and its end."""
        self.show_place(contents=msgspec.structs.replace(self.contents(), verdict=verdict))
        told = result(verified=True)
        if failed is None:
            return self.move(job, Done(result=told, verdict=verdict))
        return self.move(job, Failed(failure=Failure(kind=failed, message="x"), result=told, verdict=verdict))

    def contents(self) -> Contents:
        """Return what is shown of the program."""
        found = next(each.contents for each in self.board.partitions if each.name == "app")
        assert found is not None
        return found

    # What the daemon shows.

    def show(self, board: BoardState) -> None:
        """Show a board."""
        self.board = board
        self.checker.published(Event(seq=1, board=board))

    def show_place(self, name: str = "app", **changes: object) -> None:
        """Show something else of a partition."""
        partitions = tuple(
            msgspec.structs.replace(each, **changes) if each.name == name else each for each in self.board.partitions
        )
        self.show(msgspec.structs.replace(self.board, partitions=partitions))

    def show_build(self, build: Build, disposition: Disposition = Disposition.QUEUED, source: str = "") -> None:
        """Show what became of a build."""
        artifact = ArtifactState(
            sha256=build.sha256,
            size=len(build.pieces[0][1]),
            source=source or build.path,
            profile="product",
            partition=build.place,
            seen_at=1.0,
            disposition=disposition,
        )
        self.checker.published(Event(seq=1, artifact=artifact))

    def job(
        self, build: Build | None, place: str = "app", kind: JobKind = JobKind.FLASH, origin: Origin = Origin.BUILD
    ) -> JobState:
        """Show a job that is queued."""
        self.jobs += 1
        job = JobState(
            id=self.jobs,
            kind=kind,
            board="left",
            partition=place,
            sha256=build.sha256 if build is not None else "",
            size=1,
            origin=origin,
            status=Queued(),
            created_at=1.0,
        )
        self.checker.published(Event(seq=1, job=job))
        return job

    def move(self, job: JobState, status: JobStatus) -> JobState:
        """Show a job in another state."""
        moved = msgspec.structs.replace(job, status=status)
        self.checker.published(Event(seq=1, job=moved))
        return moved

    def run(self, job: JobState, *, is_recorded: bool = True) -> JobState:
        """Show a job that runs, and, where it `is_recorded`, that what its partition has is not known any more."""
        running = self.move(job, Running(phase=Phase.OPEN, since=1.0, answered_at=1.0))
        for each in self.board.partitions if is_recorded and job.kind in CHANGES else ():
            if each.name == job.partition and each.contents is not None:
                gone = msgspec.structs.replace(each.contents, sha256="", complete=False, layers=())
                self.show_place(each.name, contents=gone, current=False)
        return running

    def flash(self, build: Build, origin: Origin = Origin.BUILD, *, verified: bool = True) -> JobState:
        """Flash a program as the rules want it, and show it."""
        job = self.write_all(self.run(self.job(build, origin=origin)), build, verified=verified)
        return self.move(job, Done(result=result(verified=verified)))

    def write_all(self, job: JobState, build: Build, *, verified: bool = True) -> JobState:
        """Write all of a program, and show that."""
        data = build.pieces[0][1]
        sectors = range(2, 2 + -(-len(data) // SECTOR))
        self.erase(*sectors)
        if len(data) > 16:
            self.write(APP.address + 16, data[16:])
        self.write(APP.address, data[:16])
        job = self.move(job, Written(result=result(verified=verified)))
        erased = ((0, len(sectors) * SECTOR),)
        version = self.seen.builds[build.sha256].version
        shown = contents(build, job.id, erased, version=version)
        self.show_place(contents=shown, current=self._is_newest(build))
        return job

    def _is_newest(self, build: Build) -> bool:
        artifact = self.seen.shown.artifacts.get(("product", build.place))
        return artifact is not None and artifact.sha256 == build.sha256


def result(*, verified: bool) -> JobResult:
    """Return what a job did."""
    known = Verified.YES if verified else Verified.NO
    return JobResult(
        bytes_written=0,
        erases=0,
        blocks=0,
        transfers=0,
        uploads=0,
        slept=0.0,
        seconds=0.0,
        verified=known,
        protection="boot unit",
    )


def contents(build: Build, job: int, erased: tuple[tuple[int, int], ...], **more: object) -> Contents:
    """Return what a partition has after a flash."""
    made = Contents(
        sha256=build.sha256,
        size=sum(len(data) for _, data in build.pieces),
        flashed_at=1.0,
        verified=Verified.YES,
        job=job,
        serial="A",
        layers=(Layer(sha256=build.sha256, erased=erased),),
    )
    return msgspec.structs.replace(made, **more)
