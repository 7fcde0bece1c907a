"""The methods of the socket protocol: for each its name, its parameters and its result.

`METHODS` is the one list from which server, client and tests work. Every parameter and result is a JSON object.
Unknown fields are ignored. A reply means that what was asked is done.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from msgspec import field

from flashdeck.diagnosis import Diagnosis, Fact
from flashdeck.flash_map import FlashMap
from flashdeck.job_state import Failure
from flashdeck.model import (
    ArtifactState,
    BoardState,
    ConfigurationState,
    ConsoleEntry,
    ConsoleState,
    DeviceState,
    JobState,
    LogLevel,
    LogLine,
    Snapshot,
)
from flashdeck.queue_order import QueueMove
from flashdeck.slot_state import LotState, UnitRecord
from flashdeck.value import Value

LOWEST_PROTOCOL = 2
HIGHEST_PROTOCOL = 2
"""The protocols that this release speaks. The highest that both sides speak counts; where there is none, the kind is
`protocol-mismatch`. Within a protocol, methods, fields and members of unions and enums may be added."""


def protocols(lowest: int, highest: int) -> str:
    """Return a range of protocols in words."""
    return str(highest) if lowest == highest else f"{lowest} to {highest}"


R_co = TypeVar("R_co", bound=Value, covariant=True)


class Params(Value, Generic[R_co], frozen=True, kw_only=True):
    """Base of all parameters; the type argument is the result's type."""


class Empty(Value, frozen=True, kw_only=True):
    """A result without fields."""


class Welcome(Value, frozen=True, kw_only=True):
    """Answer to `hello`."""

    protocol: int
    """The one that counts on this connection."""
    # No defaults of this release, which would not be written, and be read as those of another one.
    lowest: int = field(default_factory=int)
    """The lowest that the daemon speaks; 0: it is too old to say."""
    highest: int = field(default_factory=int)
    """The highest that it speaks."""
    daemon: str
    """Its release."""
    host: str
    instance: str
    read_only: bool = False
    """True if nothing can be changed through this connection."""
    degraded: tuple[str, ...] = ()
    """Parts of the daemon that do not work, each with what to do."""
    user: str = ""
    """The name under which the daemon knows who connects, where several people use the bench; "" elsewhere."""


class Hello(Params[Welcome], frozen=True, kw_only=True):
    """First call on every connection."""

    protocol: int
    """The highest protocol that the client speaks; releases before 2 said only this one."""
    lowest: int | None = None
    """The lowest; None: that one only."""
    client: str = ""
    release: str = ""
    read_only: bool = False
    """True: nothing can be changed through this connection, and no board be touched. No later call takes it back."""
    lab_user: str = ""
    """The user of a lab, as "host/user", for whom the client speaks: where that user has acquired the place of a board,
    or is allowed there, what the client asks for is the holder's. "" for none."""


class Subscribe(Params[Snapshot], frozen=True, kw_only=True):
    """Everything at one instant, and from then on `event` notifications numbered from `seq` + 1."""

    maps: bool = False
    """True: flash maps are part of both."""


class GetStatus(Params[Snapshot], frozen=True, kw_only=True):
    """Everything at one instant."""


class BoardList(Value, frozen=True, kw_only=True):
    """Answer to `boards`."""

    boards: tuple[BoardState, ...]
    devices: tuple[DeviceState, ...]
    running: tuple[DeviceState, ...] = ()
    """Devices that are no boards, and whose application shows a way into DFU mode; in the answer to `boards` alone."""


class GetBoards(Params[BoardList], frozen=True, kw_only=True):
    """The configured boards, and the DFU devices that are none of them.

    With `boards` (names and globs) only these, and no devices.
    """

    boards: tuple[str, ...] = ()


class MapList(Value, frozen=True, kw_only=True):
    """Answer to `maps.get`."""

    maps: tuple[FlashMap, ...] = ()
    left: tuple[str, ...] = ()
    """Boards whose maps did not fit into this answer: ask for them by their names."""


class GetMaps(Params[MapList], frozen=True, kw_only=True):
    """The flash maps of boards (names and globs, empty: all): each sector of the memory, and its state."""

    boards: tuple[str, ...] = ()


class JobList(Value, frozen=True, kw_only=True):
    """Jobs, newest first."""

    jobs: tuple[JobState, ...]
    notes: tuple[str, ...] = ()
    """Remarks on what `flash` allows and people seldom mean."""


class GetJobs(Params[JobList], frozen=True, kw_only=True):
    """The newest jobs of `boards` (names and globs, empty: all) in one of `statuses` (empty: any), at most `limit`.

    `ids` names the ones wanted instead, whatever board and status they have.
    """

    limit: int = 50
    ids: tuple[int, ...] = ()
    boards: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    """Names of states (`job_state.NAMES`); empty: all."""


class HistoryPage(Value, frozen=True, kw_only=True):
    """A piece of the journal, newest first."""

    jobs: tuple[JobState, ...] = ()
    """The jobs of this piece that were asked for. There may be none, and more in the next one."""
    next: int = field(default_factory=int)  # not a default, which would not be written where it is 0
    """The `before` that goes on; 0 at the end of the journal."""
    since: float | None = None
    """The time from which on the journal has every job; None while it has none."""
    kept: int = 0
    """The number of newest jobs that the journal keeps, if there were older ones; 0: it has forgotten none."""


class GetHistory(Params[HistoryPage], frozen=True, kw_only=True):
    """The jobs in the whole journal below the number `before` (0: from the newest on), a piece at a time.

    Those of `boards` (names and globs, also of boards that are no longer configured; empty: all) and `partition` (""
    for any), of which the last that happened was not before `since` nor after `until` (epoch seconds). At most `limit`.
    """

    boards: tuple[str, ...] = ()
    partition: str = ""
    since: float | None = None
    until: float | None = None
    before: int = 0
    limit: int = 500


class UploadHandle(Value, frozen=True, kw_only=True):
    """Names an upload until it is committed; it dies with its connection."""

    upload: int


class BeginUpload(Params[UploadHandle], frozen=True, kw_only=True):
    """Announces an image file of `size` bytes that the client will send. `name` is never opened.

    With the `partition` that it is for, and the `boards` (names and globs, empty: all that have it), the file may be of
    any format that can be flashed; the daemon makes the image out of it. Without, only a raw binary is taken.
    """

    name: str
    """The file's name, for messages, and as its ending may tell what it should be."""
    size: int
    partition: str = ""
    boards: tuple[str, ...] = ()


class UploadChunk(Params[Empty], frozen=True, kw_only=True):
    """The next bytes of an upload, at most 256 KiB."""

    upload: int
    data: bytes


class UploadDone(Value, frozen=True, kw_only=True):
    """The spooled image: files of one build are the same one in every format."""

    sha256: str
    size: int
    """Bytes that it defines."""
    version: str
    notes: tuple[str, ...] = ()
    """Notes on how the file was read."""


class CommitUpload(Params[UploadDone], frozen=True, kw_only=True):
    """Ends an upload: the bytes are checked against `size` and spooled."""

    upload: int


class PlacedImage(Value, frozen=True, kw_only=True):
    """The spooled image that a file has for one partition of one board."""

    board: str
    partition: str
    sha256: str
    size: int
    """Bytes that it defines."""
    version: str
    notes: tuple[str, ...] = ()
    """Notes on how the file was read."""


class PlacedImages(Value, frozen=True, kw_only=True):
    """Answer to `upload.place`: all places that a file belongs to, at least one."""

    images: tuple[PlacedImage, ...]


class PlaceUpload(Params[PlacedImages], frozen=True, kw_only=True):
    """Ends an upload that was begun without a partition: the file says itself where it belongs.

    By its addresses; a raw binary by its vector table, where that proves one place. `boards` are names and globs.
    Without them the file belongs to exactly one board, else the answer is an error (kind `ambiguous`) with the
    candidates.
    """

    upload: int
    boards: tuple[str, ...] = ()


class BuildTaken(Value, frozen=True, kw_only=True):
    """The end that a build came to which a client sent: the same as of one that the daemon found itself."""

    builds: tuple[ArtifactState, ...]
    """One for each profile that has the partition."""
    jobs: tuple[JobState, ...] = ()
    """The jobs that it was queued for."""


class PushBuild(Params[BuildTaken], frozen=True, kw_only=True):
    """Ends an upload as a build, and not as an image for `flash`: the same follows as from a file that is watched.

    The upload names the partition and the boards that the build is for. Guards, boards that are disarmed or on hold,
    and what was seen before decide if it is queued, offered or refused. A build that was `first` there when its file
    began to be followed is offered, unless the last build of the partition came from the same `source`.
    """

    upload: int
    source: str
    """The machine and the path of its file, as user@machine:/path."""
    first: bool = False
    """True if the file was there, as it is, when it was first looked for."""
    age: float = 0.0
    """Seconds since the file was changed."""


class Flash(Params[JobList], frozen=True, kw_only=True):
    """Queues one job a board by hand.

    `sha256` names a spooled image, "" the newest build for the partition. `boards` are names and globs, empty means all
    boards that have the partition. `no_wait` refuses (kind `absent` or `held`) unless every board can run it now.
    `cancel_on_exit` cancels the jobs once this connection ends; with `spare_begun` only those that never began.
    """

    partition: str
    sha256: str = ""
    boards: tuple[str, ...] = ()
    no_wait: bool = False
    cancel_on_exit: bool = False
    spare_begun: bool = False


class PlanStep(Value, frozen=True, kw_only=True):
    """One step of a plan, in order."""

    action: str
    address: int
    size: int
    note: str = ""


class PartitionPlace(Value, frozen=True, kw_only=True):
    """A partition of a board in its flash."""

    name: str
    address: int
    size: int


class BoardPlan(Value, frozen=True, kw_only=True):
    """The effect that a flash, or an erase, of one board would have. `blocked` says why it would not start."""

    board: str
    partition: str
    sha256: str
    steps: tuple[PlanStep, ...] = ()
    erases: int = 0
    blocks: int = 0
    requests: int = 0
    """DFU requests that it would cost, leave included."""
    unchanged: int = 0
    """Bytes of the sectors that hold their part of the image already, and are left alone."""
    erased_beside: int = 0
    """Bytes beside the image that would be erased, because it covers only part of their sectors."""
    protection: str = ""
    notes: tuple[str, ...] = ()
    blocked: str = ""
    map: FlashMap | None = None
    """The flash with what the plan does to each sector; None where there is no plan, or many boards were asked for at
    once."""
    places: tuple[PartitionPlace, ...] = ()
    """The partitions that the map is divided into."""


class PlanList(Value, frozen=True, kw_only=True):
    """Answer to `plan`."""

    plans: tuple[BoardPlan, ...]


class Plan(Params[PlanList], frozen=True, kw_only=True):
    """Plans what `flash` with the same parameters would do, without doing it."""

    partition: str
    sha256: str = ""
    boards: tuple[str, ...] = ()


class PlanRollback(Params[PlanList], frozen=True, kw_only=True):
    """Plans what `rollback` with the same parameters would do, without doing it."""

    partition: str
    boards: tuple[str, ...] = ()


class Rollback(Params[JobList], frozen=True, kw_only=True):
    """Queues one job a board that brings the last program that was good there before the present one.

    The image that is gone back from, and the newest build where it is another one, are offered from then on until a
    person flashes them; only another build flashes by itself. All else is as with `flash`; the kind is
    `no-such-artifact` where a board has nothing to go back to, or its bytes are gone.
    """

    partition: str
    boards: tuple[str, ...] = ()
    no_wait: bool = False
    cancel_on_exit: bool = False


class PlanErase(Params[PlanList], frozen=True, kw_only=True):
    """Plans what `erase` with the same parameters would do, without doing it."""

    partition: str
    boards: tuple[str, ...] = ()


class Verify(Params[JobList], frozen=True, kw_only=True):
    """Queues one job a board that compares a partition with an image, and leaves the board as it found it.

    `sha256` names a spooled image, "" what the partition has as far as the daemon knows. Reads that were refused, or
    seen not to be true, end the job with the kind `unreadable` unless `force` wants them all the same. All else is as
    with `flash`.
    """

    partition: str
    sha256: str = ""
    boards: tuple[str, ...] = ()
    force: bool = False
    no_wait: bool = False
    cancel_on_exit: bool = False


class ReadPartition(Params[JobList], frozen=True, kw_only=True):
    """Queues a job that reads a partition of one board into the spool, and leaves the board as it found it.

    `boards` are names and globs that mean one board (else the kind is `ambiguous`). The job is cancelled where this
    connection ends before. What was read is the job's `sha256` once it is done: `images.read` gives its bytes.
    """

    partition: str
    boards: tuple[str, ...] = ()
    force: bool = False
    no_wait: bool = False


class ImagePiece(Value, frozen=True, kw_only=True):
    """Bytes of an image; fewer than were asked for at its end, none behind it."""

    data: bytes


class ReadImage(Params[ImagePiece], frozen=True, kw_only=True):
    """At most 256 KiB of a spooled image, counted from the partition's start; what it does not define is 0xFF."""

    sha256: str
    offset: int = 0
    size: int = 256 * 1024


class Erase(Params[JobList], frozen=True, kw_only=True):
    """Queues one job a board that erases a whole partition; the board stays in DFU mode.

    The builds for that partition are offered from then on, not flashed, until a person flashes it. Older jobs for it
    that have not begun give way. All else is as with `flash`.
    """

    partition: str
    boards: tuple[str, ...] = ()
    no_wait: bool = False
    cancel_on_exit: bool = False


class ResetBoards(Params[JobList], frozen=True, kw_only=True):
    """Queues one job a board that takes it out of DFU mode, before what else is queued.

    `boards` are names and globs; none means all that are in DFU mode. A board that is running is done at once, one that
    is not connected fails (`absent`). Where a partition is incomplete the job fails (`held`) unless `force` is set.
    """

    boards: tuple[str, ...] = ()
    force: bool = False
    no_wait: bool = False
    cancel_on_exit: bool = False


class BoardOutcome(Value, frozen=True, kw_only=True):
    """The progress of one board with an image that is waited for."""

    board: str
    partition: str
    is_there: bool = field(default_factory=bool)  # not a default, which would not be written where it is False
    """True once the board has the image, and runs it where that can be seen."""
    job: JobState | None = None
    """The job that brings it, or did."""
    failure: Failure | None = None
    """The reason why it can no longer get there, or was late; None where it is there, or still can be."""


class WaitResult(Value, frozen=True, kw_only=True):
    """Answer to `wait`: a row a board."""

    boards: tuple[BoardOutcome, ...]


class Wait(Params[WaitResult], frozen=True, kw_only=True):
    """Looks at the partition's image path again, then returns once that image is on all those boards.

    `sha256` is the wanted image, "" the newest build. `timeout` in seconds. Returns at once, too, when a board can no
    longer get it (`superseded`, `held`, `offered`, `guard`, `no-target`, or the failure of its job) and nothing is
    under way on the others.
    """

    partition: str
    sha256: str = ""
    boards: tuple[str, ...] = ()
    timeout: float = 120.0


class WaitJobs(Params[JobList], frozen=True, kw_only=True):
    """Returns once all the jobs have ended or need a person, or after `timeout` seconds with the kind `timeout`."""

    ids: tuple[int, ...]
    timeout: float = 3600.0


class LogPage(Value, frozen=True, kw_only=True):
    """Log lines in ascending order; `next` is the `after` that continues."""

    lines: tuple[LogLine, ...]
    next: int
    before: int | None = None
    """The `before` that goes on with older lines, of which there may be none in the next page; 0 at the beginning of
    what is kept. None where the daemon is too old to give older lines."""


class GetLogs(Params[LogPage], frozen=True, kw_only=True):
    """At most `limit` of the newest log lines with an id above `after`, about `boards` (names and globs) if named.

    With `before`, `text` or `job` lines of earlier daemons count, too, as far as they are kept.
    """

    after: int = 0
    limit: int = 200
    boards: tuple[str, ...] = ()
    level: LogLevel = LogLevel.INFO
    """Only lines that matter as much, or more."""
    before: int = 0
    """Only lines with an id below; 0: from the newest on."""
    text: str = ""
    """Only lines that have this in their text or in the name of their board, in capitals or not; "" for any."""
    job: int = 0
    """Only lines that are about this job; 0 for any."""


class GetDebugLog(Params[LogPage], frozen=True, kw_only=True):
    """The daemon's decisions with their reasons, as `logs` gives its log; these lines are counted by themselves.

    Where there is none above `after`, it waits for one of either log for at most `wait` seconds.
    """

    after: int = 0
    limit: int = 200
    boards: tuple[str, ...] = ()
    wait: float = 0.0
    text: str = ""
    """As in `logs`."""


class ConsolePage(Value, frozen=True, kw_only=True):
    """A piece of what a board said, in ascending order; `next` is the `after` that continues."""

    board: str
    entries: tuple[ConsoleEntry, ...] = ()
    next: int = field(default_factory=int)  # not a default, which would not be written where it is 0
    dropped: int = 0
    """Bytes that were not recorded since the daemon's start, because the board said too much at once."""


class GetConsole(Params[ConsolePage], frozen=True, kw_only=True):
    """The console of one board (a name, or a glob that means one): at most `limit` entries of what it said.

    Without `after` the newest ones; else those with a higher number, the oldest first (-1: from the oldest of all on):
    entries that are forgotten by then leave a gap in the numbers. Where there is none, it waits for one for at most
    `wait` seconds. A board without a console is a `bad-request`.
    """

    board: str
    after: int = 0
    since_leave: bool = False
    """True: only what came with the board's last leave of DFU mode and after it, the oldest first; nothing where it has
    not left since the daemon's start."""
    limit: int = 200
    wait: float = 0.0


class BoardConsole(Value, frozen=True, kw_only=True):
    """The console of a board, as it is now."""

    board: str
    console: ConsoleState


class ReleaseConsole(Params[BoardConsole], frozen=True, kw_only=True):
    """Closes the port of a board's console, so that other programs can have it, until `console.resume`.

    `board` is a name, or a glob that means one. It stays released until then, also over a restart of the board, but not
    of the daemon. It returns once the port is closed.
    """

    board: str


class ResumeConsole(Params[BoardConsole], frozen=True, kw_only=True):
    """Follows the console of a board again, and returns how that went: another program may hold the port.

    `board` is a name, or a glob that means one.
    """

    board: str


class Hold(Params[BoardList], frozen=True, kw_only=True):
    """Puts boards on hold: nothing starts on them. `boards` are names and globs; none is an error, never all."""

    boards: tuple[str, ...] = ()
    reason: str = ""


class Release(Params[BoardList], frozen=True, kw_only=True):
    """Ends the hold of boards (names and globs; none is an error, never all).

    Their blocked jobs are tried again, unproven banks are accepted, and recorded bootloader faults are forgotten.
    Another person's hold, where several use the bench, and anybody's lease end with `force` only: the kind is `held`.
    A lease ends with all its boards, and the log names both sides. What somebody has acquired in labgrid ends there
    alone: where `force` has nothing else to end, it is refused.
    """

    boards: tuple[str, ...] = ()
    force: bool = False


class LeaseToken(Value, frozen=True, kw_only=True):
    """Answer to `take` and `lease.use`: boards of which only the holder's jobs start."""

    token: str
    """Lets another connection act for the holder (`lease.use`). Nobody can guess it, and it ends with the lease."""
    boards: tuple[str, ...]


class Take(Params[LeaseToken], frozen=True, kw_only=True):
    """Takes boards (names and globs; none is an error) for as long as this connection lives; all of them or none.

    Returns once nobody else has any of them and nothing runs there any more; who asks first comes first. `by` and
    `reason` are shown to everybody. With `no_wait`, or where a board is on hold, the kind is `held`; after `timeout`
    seconds it is `timeout`. A connection that has a lease, or acts for one, gets no second one: two that wait for each
    other would wait for ever.
    """

    boards: tuple[str, ...] = ()
    by: str = ""
    reason: str = ""
    no_wait: bool = False
    timeout: float | None = None


class UseLease(Params[LeaseToken], frozen=True, kw_only=True):
    """Makes this connection act for the holder of a lease, which it names by its token. The kind is `held` if it ended.

    What it asks for from now on starts on the boards of the lease.
    """

    token: str


class EndLease(Params[Empty], frozen=True, kw_only=True):
    """Gives back the boards that this connection has taken, and leaves it open. The kind is `held` if it has none."""


class Cancel(Params[JobState], frozen=True, kw_only=True):
    """Ends a job and returns once it has ended. A running one stops at its next safe point.

    Behind its first erase, the partition stays without its boot unit until the next flash: no boot check accepts it.
    Plain DFU 1.1 cannot give that: half an image may be started there.
    """

    job: int


class Retry(Params[JobState], frozen=True, kw_only=True):
    """Queues the work of a job that has ended once more, by hand; a blocked job is looked at again instead."""

    job: int


class QueueOrder(Value, frozen=True, kw_only=True):
    """Answer to `jobs.move`."""

    jobs: tuple[JobState, ...]
    """The jobs of that board that have not begun, in the order in which they run."""


class MoveJob(Params[QueueOrder], frozen=True, kw_only=True):
    """Moves a job that has not begun past its neighbours in the queue of its board.

    What it does to the board stays the same: jobs of one partition keep their order, and a reset comes first. What is
    queued later comes behind the jobs that were moved. Raises `bad-request` where it cannot be moved so.
    """

    job: int
    to: QueueMove


class Arm(Params[BoardList], frozen=True, kw_only=True):
    """New builds flash by themselves on these boards again (names and globs, empty: all); returns those boards.

    `once` arms them for one job: the next build that is flashed by itself disarms its board with its first erase, or
    where the board turns out to have it already.
    """

    boards: tuple[str, ...] = ()
    once: bool = False


class Disarm(Params[BoardList], frozen=True, kw_only=True):
    """Builds are offered to these boards from now on, not flashed (names and globs, empty: all); the queue goes on."""

    boards: tuple[str, ...] = ()


class UnconfirmedFile(Value, frozen=True, kw_only=True):
    """An included file of which something does not count before a person confirms it."""

    file: str
    lines: tuple[str, ...]
    """Each key with its table, and what it would change."""
    boards: tuple[str, ...] = ()


class ConfigReloaded(Value, frozen=True, kw_only=True):
    """Answer to `config.reload`."""

    configuration: ConfigurationState
    changes: tuple[str, ...] = ()
    """The differences for the boards, in words; empty where nothing is different."""
    unconfirmed: tuple[UnconfirmedFile, ...] = ()


class ReloadConfig(Params[ConfigReloaded], frozen=True, kw_only=True):
    """Reads the configuration again, and takes it over; a bad one (`config-invalid`) is refused whole."""


class ConfigTrusted(Value, frozen=True, kw_only=True):
    """Answer to `config.trust`."""

    file: str
    lines: tuple[str, ...] = ()
    """The keys that count from now on, in words."""


class TrustConfig(Params[ConfigTrusted], frozen=True, kw_only=True):
    """Confirms the keys of an included file that let the daemon do more than before.

    `file` is its path; it is compared with those of the included files, and never opened.
    """

    file: str


class Examine(Params[Diagnosis], frozen=True, kw_only=True):
    """Looks at boards (names and globs, empty: all) and at this installation; nothing is erased or written.

    A board on which a job runs is not looked at: its report says so (`device-busy`). Devices that are no configured
    board are listed and not opened.
    """

    boards: tuple[str, ...] = ()


class Versions(Value, frozen=True, kw_only=True):
    """Answer to `versions`."""

    facts: tuple[Fact, ...]
    """flashdeck, Python, the kernel, the system, libusb and the packages that the daemon runs on."""


class GetVersions(Params[Versions], frozen=True, kw_only=True):
    """The versions that the daemon runs on; the client's own may differ."""


class RecordingState(Value, frozen=True, kw_only=True):
    """One recorded session with a device."""

    index: int
    """Its number for `recordings.read`, as long as this daemon runs."""
    name: str
    """Its start (UTC) and its number in that second; nothing that a device said."""
    size: int


class RecordingList(Value, frozen=True, kw_only=True):
    """Answer to `recordings`."""

    recordings: tuple[RecordingState, ...] = ()
    """The oldest first."""
    recording: bool = False
    """True: the daemon was started with `--record`."""


class GetRecordings(Params[RecordingList], frozen=True, kw_only=True):
    """The recordings in the directory that `--record` names; none where the daemon does not record."""


class RecordingPiece(Value, frozen=True, kw_only=True):
    """Bytes of a recording; fewer than were asked for at its end, none behind it."""

    data: bytes


class ReadRecording(Params[RecordingPiece], frozen=True, kw_only=True):
    """At most 256 KiB of a recording; `index` as it was listed."""

    index: int
    offset: int = 0
    size: int = 256 * 1024


class Adopt(Params[BoardState], frozen=True, kw_only=True):
    """Makes a DFU device that is no configured board one: its serial, memory map and bcdDevice are pinned.

    `device` is the port or the serial of a listed device in DFU mode. `profile` may be left out where the device's USB
    id belongs to one profile only. `name` is the board's; empty means the first free one made from the profile's. A
    configured board that had neither serial nor port is completed if `name` names it.
    """

    device: str
    profile: str = ""
    name: str = ""


class BeginLot(Params[LotState], frozen=True, kw_only=True):
    """Begins a lot: from now on the units in its slots get this image, and not the newest build, until the lot ends.

    `sha256` names an image that was uploaded for `partition` and these slots; it stays in the spool while the lot goes
    on, and has to pass the guards of each slot's profile. `slots` are names and globs, empty means all that have the
    partition and no lot. The kind is `held` where a slot has a lot already. Units that are done stay so.
    """

    name: str
    sha256: str
    partition: str
    count: int
    """The number of units that are to pass, at least 1."""
    slots: tuple[str, ...] = ()
    image: str = ""
    """The name of the image's file, for tables."""


class EndLot(Params[LotState], frozen=True, kw_only=True):
    """Ends a lot: no unit begins for it any more; those that are under way go on, and count for it.

    An empty `name` means the only one there is (else the kind is `ambiguous`).
    """

    name: str = ""


class LotList(Value, frozen=True, kw_only=True):
    """Answer to `lots`: those that go on, and the ones that ended last, the newest first."""

    lots: tuple[LotState, ...] = ()


class GetLots(Params[LotList], frozen=True, kw_only=True):
    """The lots of one `name`, or all (""), at most `limit`."""

    name: str = ""
    limit: int = 50


class UnitPage(Value, frozen=True, kw_only=True):
    """A piece of the records of units, newest first."""

    units: tuple[UnitRecord, ...] = ()
    """Those of this piece that were asked for. There may be none, and more in the next one."""
    next: int = field(default_factory=int)  # not a default, which would not be written where it is 0
    """The `before` that goes on; 0 at the end."""
    kept: int = 0
    """The number of newest units that the journal keeps, if there were older ones; 0: it has forgotten none."""


class GetUnits(Params[UnitPage], frozen=True, kw_only=True):
    """The records of units below the number `before` (0: from the newest on), a piece at a time, at most `limit`.

    Those of `slots` (names and globs, also of slots that are no longer configured; empty: all) and of `lot` ("" for
    any).
    """

    slots: tuple[str, ...] = ()
    lot: str = ""
    before: int = 0
    limit: int = 500


class VirtualBoardState(Value, frozen=True, kw_only=True):
    """An emulated board as its own side sees it, with what it counted since it was made."""

    name: str
    model: str
    port: str
    serial: str
    plugged: bool
    mode: str
    """`dfu`, `app` or `unplugged`."""
    tty: str = ""
    """The node of its application's serial port, a pseudo-terminal; "" while there is none."""
    uart: str = ""
    """The path of its UART, a link to a pseudo-terminal; "" where it has none."""
    starts: int = 0
    """Starts of its application, whoever or whatever started it."""
    erases: int = 0
    words: int = 0
    """Program units written."""
    requests: int = 0
    """DFU class requests received."""
    transfers: int = 0
    """All control transfers that pyusb asked for."""
    downloads: int = 0
    statuses: int = 0
    """GETSTATUS requests."""
    uploads: int = 0
    bytes_down: int = 0
    """Bytes in the data stages of DFU requests from the host: what DNLOADs carried."""
    bytes_up: int = 0
    """Bytes answered to UPLOADs."""
    sleeps: int = 0
    """Pauses of the host within a session, 1 ms or longer by default, in which the board had no flash work to do."""
    slept: float = 0.0
    """Seconds of these pauses."""
    bus_seconds: float = 0.0
    """Time of all transfers on a full-speed bus by the board's model, also where the board takes no time."""
    busy_seconds: float = 0.0
    """Time of its flash work by the same model."""
    violations: tuple[str, ...] = ()
    """Requests of a host that this class of device does not take; empty when all was well."""
    recorded: int = 0
    """Control transfers in the recording that it replays; 0 for all other models."""
    replayed: int = 0
    """The number of them that came as recorded since it was last powered."""


class VirtualBoardList(Value, frozen=True, kw_only=True):
    """Answer to `virtual.list`."""

    boards: tuple[VirtualBoardState, ...]


class VirtualList(Params[VirtualBoardList], frozen=True, kw_only=True):
    """The emulated boards. All `virtual` methods exist only in a daemon started with `--virtual`."""


class VirtualPlug(Params[VirtualBoardList], frozen=True, kw_only=True):
    """Connects boards (names and globs; none is an error), in the mode they would power up in; returns those boards."""

    boards: tuple[str, ...] = ()


class VirtualUnplug(Params[VirtualBoardList], frozen=True, kw_only=True):
    """Pulls the cables of boards (names and globs; none is an error): power is lost at once, whatever runs."""

    boards: tuple[str, ...] = ()


class VirtualSwap(Params[VirtualBoardState], frozen=True, kw_only=True):
    """Takes the unit of one board (a name, or a glob that means one) out of its port, and puts a new one in.

    The new one is of the same model with an empty flash, and has another serial where one is given. A hand takes a
    moment for it: in between nothing is in the port.
    """

    board: str
    serial: str | None = None
    """Its serial; None: the same as the one that was taken out, as two units may have."""
    fault: str = ""
    """A fault that it has from its first DFU request on, so that it is broken; "" for none."""


class VirtualPress(Params[VirtualBoardList], frozen=True, kw_only=True):
    """Presses the buttons of boards (names and globs; none is an error): they restart into their bootloaders."""

    boards: tuple[str, ...] = ()


class VirtualSay(Params[VirtualBoardState], frozen=True, kw_only=True):
    """Lets one board (a name, or a glob that means one) say a line: on its application's serial port and its UART."""

    board: str
    text: str
    """The line without its end."""


class VirtualFault(Params[VirtualBoardState], frozen=True, kw_only=True):
    """Arms a fault of one board (a name, or a glob that means one).

    At the `after`-th DFU request from now (1 is the next) `fault` happens, `times` in a row. For a fault of the
    application it is the `after`-th start of that; 1 is the one that runs, or the next.
    """

    board: str
    fault: str
    after: int = 1
    times: int = 1
    address: int | None = None
    """A byte of the flash: only what erases or writes it is struck. Faults of the flash only."""
    delay: float = 0.0
    """Seconds after the start. Faults of the application only."""


class FlashBytes(Value, frozen=True, kw_only=True):
    """A piece of an emulated flash."""

    address: int
    data: bytes
    size: int
    """Bytes of the whole flash, which starts at `base`."""
    base: int


class VirtualDump(Params[FlashBytes], frozen=True, kw_only=True):
    """At most 256 KiB of the flash of one board (a name, or a glob that means one) from `address` (0: its start)."""

    board: str
    address: int = 0
    size: int = 256 * 1024


METHODS: dict[str, type[Params[Value]]] = {
    "hello": Hello,
    "subscribe": Subscribe,
    "status": GetStatus,
    "boards": GetBoards,
    "maps.get": GetMaps,
    "jobs": GetJobs,
    "history": GetHistory,
    "upload.begin": BeginUpload,
    "upload.chunk": UploadChunk,
    "upload.commit": CommitUpload,
    "upload.place": PlaceUpload,
    "builds.push": PushBuild,
    "flash": Flash,
    "plan": Plan,
    "rollback": Rollback,
    "plan.rollback": PlanRollback,
    "plan.erase": PlanErase,
    "verify": Verify,
    "read": ReadPartition,
    "images.read": ReadImage,
    "erase": Erase,
    "reset": ResetBoards,
    "wait": Wait,
    "jobs.wait": WaitJobs,
    "logs": GetLogs,
    "logs.debug": GetDebugLog,
    "console": GetConsole,
    "console.release": ReleaseConsole,
    "console.resume": ResumeConsole,
    "hold": Hold,
    "release": Release,
    "take": Take,
    "lease.use": UseLease,
    "lease.end": EndLease,
    "cancel": Cancel,
    "retry": Retry,
    "jobs.move": MoveJob,
    "arm": Arm,
    "disarm": Disarm,
    "adopt": Adopt,
    "config.reload": ReloadConfig,
    "config.trust": TrustConfig,
    "doctor": Examine,
    "versions": GetVersions,
    "recordings": GetRecordings,
    "recordings.read": ReadRecording,
    "lot.begin": BeginLot,
    "lot.end": EndLot,
    "lots": GetLots,
    "units": GetUnits,
    "virtual.list": VirtualList,
    "virtual.plug": VirtualPlug,
    "virtual.unplug": VirtualUnplug,
    "virtual.swap": VirtualSwap,
    "virtual.press": VirtualPress,
    "virtual.say": VirtualSay,
    "virtual.fault": VirtualFault,
    "virtual.dump": VirtualDump,
}


class Effect(StrEnum):
    """The effect that a method can have."""

    READS = "reads"
    """It tells what the daemon knows. No board is touched for it, not even to be read: some hang when they are."""
    CHANGES = "changes"
    """It changes something, or touches a board: a read-only connection may not call it."""


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "hello": Effect.READS,
        "subscribe": Effect.READS,
        "status": Effect.READS,
        "boards": Effect.READS,
        "jobs": Effect.READS,
        "history": Effect.READS,
        "maps.get": Effect.READS,
        "upload.begin": Effect.CHANGES,
        "upload.chunk": Effect.CHANGES,
        "upload.commit": Effect.CHANGES,
        "upload.place": Effect.CHANGES,
        "builds.push": Effect.CHANGES,
        "flash": Effect.CHANGES,
        "plan": Effect.CHANGES,
        "rollback": Effect.CHANGES,
        "plan.rollback": Effect.CHANGES,
        "plan.erase": Effect.CHANGES,
        "verify": Effect.CHANGES,
        "read": Effect.CHANGES,
        "images.read": Effect.READS,
        "erase": Effect.CHANGES,
        "reset": Effect.CHANGES,
        "wait": Effect.READS,
        "jobs.wait": Effect.READS,
        "logs": Effect.READS,
        "logs.debug": Effect.READS,
        "console": Effect.READS,
        "console.release": Effect.CHANGES,
        "console.resume": Effect.CHANGES,
        "hold": Effect.CHANGES,
        "release": Effect.CHANGES,
        "take": Effect.CHANGES,
        "lease.use": Effect.CHANGES,
        "lease.end": Effect.CHANGES,
        "cancel": Effect.CHANGES,
        "retry": Effect.CHANGES,
        "jobs.move": Effect.CHANGES,
        "arm": Effect.CHANGES,
        "disarm": Effect.CHANGES,
        "adopt": Effect.CHANGES,
        "config.reload": Effect.CHANGES,
        "config.trust": Effect.CHANGES,
        "doctor": Effect.CHANGES,
        "versions": Effect.READS,
        "recordings": Effect.READS,
        "recordings.read": Effect.READS,
        "lot.begin": Effect.CHANGES,
        "lot.end": Effect.CHANGES,
        "lots": Effect.READS,
        "units": Effect.READS,
        "virtual.list": Effect.READS,
        "virtual.plug": Effect.CHANGES,
        "virtual.unplug": Effect.CHANGES,
        "virtual.swap": Effect.CHANGES,
        "virtual.press": Effect.CHANGES,
        "virtual.say": Effect.CHANGES,
        "virtual.fault": Effect.CHANGES,
        "virtual.dump": Effect.READS,
    }
)
"""Each method with its effect (a test wants all of them here). One that is missing counts as one that changes."""


def changes(params: type[Params[Any]]) -> bool:
    """Return whether a method may change something, by the type of its parameters."""
    return EFFECTS.get(NAMES[params]) is not Effect.READS


FOR_OWNER = frozenset[type[Params[Any]]]((ReloadConfig, TrustConfig))
"""The methods for the daemon's own user, and root: they are about files of that user, and what these may start. Members
of the group that may connect use the bench, and decide nothing of that."""

NAMES: dict[type[Params[Value]], str] = {params: name for name, params in METHODS.items()}
CHUNK = 256 * 1024
"""Bytes of an image, a recording or an emulated flash in one call at the most."""
LOG_PAGE = 500
"""Log lines in one answer at the most, so that it stays far below the longest line of the protocol."""
CONSOLE_PAGE = 500
"""Entries of a console in one answer at the most, for the same reason."""
JOB_PAGE = 500
"""Jobs in one answer at the most, for the same reason."""
