"""Each rule of the simulation holds in a scene that is right, and finds the one thing that is wrong in another."""

import dataclasses
import hashlib
from collections.abc import Callable
from contextlib import nullcontext

import msgspec
import pytest

from flashdeck.errors import ErrorKind
from flashdeck.job_state import (
    Blocked,
    Done,
    Failed,
    Failure,
    JobKind,
    Origin,
    Phase,
    Queued,
    Running,
    Superseded,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import (
    BoardHold,
    BoardLease,
    BoardState,
    ConfigurationState,
    DaemonState,
    Disposition,
    Event,
    HoldBy,
    JobState,
    LogLevel,
    LogLine,
    PartitionState,
    Presence,
    Trouble,
)
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.images.image import Image, Piece
from simulation.invariants.bounds import Bounds
from simulation.invariants.checker import RULES
from simulation.invariants.memory import name_of
from simulation.invariants.rule import BrokenRuleError
from simulation.invariants.shown_boards import FIELDS
from simulation.rule_scene import (
    APP,
    BASE,
    BOARD,
    BOOT,
    PRODUCT,
    SECTOR,
    SIGNS,
    VERSION,
    Scene,
    contents,
    program,
    result,
)
from simulation.seen import Ask, Build, Did, Disk, Lie, Opened, Setup, Told, Wish

IMAGE = program(300)
"""It touches two sectors."""


def flashed() -> Scene:
    """Return a scene in which a build has come home."""
    scene = Scene()
    build = scene.build(IMAGE)
    scene.show_build(build)
    scene.flash(build)
    return scene


def begun() -> Scene:
    """Return a scene in which a job has just erased what it needs."""
    scene = Scene()
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 3)
    return scene


def writes_outside(scene: Scene) -> None:
    """A job of app erases in the partition behind it."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(6)


def erases_beside(scene: Scene) -> None:
    """A job erases a sector that its image does not touch."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 4)


def changes_without_job(scene: Scene) -> None:
    """A flash changes though nothing runs."""
    scene.erase(2)


def canary_in_full_sector(scene: Scene) -> None:
    """A canary goes where something is."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.write(BASE + 5 * SECTOR, b"flashdeck canary")


def writes_protected(scene: Scene) -> None:
    """A job whose partition was made larger than the configuration says reaches what is protected."""
    scene.run(scene.job(scene.build(IMAGE)))
    running = scene.checker.attempts.running("left")
    assert running is not None
    running.place = dataclasses.replace(APP, address=BOOT.address, size=APP.size)
    running.touched = scene.device.sectors
    running.device = scene.device
    scene.erase(0)


def sends_mass_erase(scene: Scene) -> None:
    """What no careful host sends."""
    scene.device.wrong_requests.append("mass erase in IDLE")
    scene.checker.seldom()


def opens_another(scene: Scene) -> None:
    """Another serial is in the board's place."""
    scene.device.serial = "B"
    scene.checker.opened(Opened(step=1, life=1, device="device", lane="left", was_dfu=True))


def flashes_another(scene: Scene) -> None:
    """The same, and its flash is changed."""
    scene.device.serial = "B"
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2)


def flashes_one_of_two(scene: Scene) -> None:
    """Two devices have been the board for long."""
    twin = dataclasses.replace(scene.device, name="twin")
    scene.seen.devices["twin"] = twin
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2)


def writes_other_bytes(scene: Scene) -> None:
    """A byte is another one."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 3)
    scene.write(APP.address + 16, b"\0" + IMAGE[17:])


def flashes_unbuilt(scene: Scene) -> None:
    """A half-written file was taken for a build."""
    build = scene.build(IMAGE)
    del scene.seen.builds[build.sha256]
    scene.run(scene.job(build))
    scene.erase(2)


def flashes_stranger(scene: Scene) -> None:
    """An image that is linked for elsewhere."""
    scene.run(scene.job(scene.build(b"\0\0\2\x20\1\0\0\x09" + IMAGE[8:])))
    scene.erase(2)


def takes_stranger(scene: Scene) -> None:
    """The same is taken."""
    scene.show_build(scene.build(b"\0\0\2\x20\1\0\0\x09" + IMAGE[8:]))


def refuses_good(scene: Scene) -> None:
    """An image that belongs there is refused."""
    scene.show_build(scene.build(IMAGE), Disposition.REFUSED)


def begins_in_the_middle(scene: Scene) -> None:
    """Another sector than the boot unit's is erased first."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(3)


def writes_boot_unit_early(scene: Scene) -> None:
    """The boot unit comes before the rest."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 3)
    scene.write(APP.address, IMAGE[:16])


def writes_boot_unit_with_others(scene: Scene) -> None:
    """The boot unit comes with the block that it is in."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 3)
    scene.write(APP.address + 256, IMAGE[256:])
    scene.write(APP.address, IMAGE[:256])


def starts_what_read_wrong(scene: Scene) -> None:
    """A lie that was read back must not get its boot unit."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2, 3)
    scene.write(APP.address + 16, IMAGE[16:256])
    scene.checker.lied("device", Lie(step=1, address=APP.address + 256, size=48, is_erase=False))
    scene.write(APP.address, IMAGE[:16])


def flashes_again(scene: Scene) -> None:
    """What is there is flashed again, by itself."""
    scene.flash(scene.build(IMAGE))
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2)


def brings_back(scene: Scene) -> None:
    """A build from which a person went back comes again by itself."""
    build = scene.build(IMAGE)
    scene.flash(build)
    scene.ask(Wish.ROLLBACK)
    scene.job(build)


def fills_erased(scene: Scene) -> None:
    """A build comes by itself into what a person has erased."""
    job = scene.run(scene.job(None, kind=JobKind.ERASE, origin=Origin.HAND))
    scene.erase(2)
    scene.move(job, Queued())
    scene.seen.now += 10
    scene.job(scene.build(IMAGE))


def shows_escape(scene: Scene) -> None:
    """A device's string reaches the log as it is."""
    line = LogLine(id=1, time=1.0, level=LogLevel.INFO, text="\x1b[2J")
    scene.checker.published(Event(seq=1, log=line))


def opens_foreign_path(scene: Scene) -> None:
    """A file is opened that is nobody's business."""
    scene.seen.allowed_paths = ("/b/",)
    scene.checker.opened_path("/etc/passwd")


def verifies_untrue(scene: Scene) -> None:
    """A board whose reads are constant is called verified."""
    scene.device.reads_truly = False
    scene.flash(scene.build(IMAGE))


def verifies_wrong(scene: Scene) -> None:
    """A job is called verified, and its bytes are not there."""
    build = scene.build(IMAGE)
    job = scene.run(scene.job(build))
    scene.erase(2, 3)
    scene.checker.lied("device", Lie(step=1, address=APP.address, size=SECTOR, is_erase=False))
    scene.move(job, Done(result=result(verified=True)))


def touches_libusb(scene: Scene) -> None:
    """A daemon of emulated boards loads libusb."""
    scene.checker.touched_real("libusb")


def runs_on_moved(scene: Scene) -> None:
    """A partition was resized, and nobody has released the board."""
    place = dataclasses.replace(APP, size=APP.size - SECTOR)
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": place})
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    scene.run(scene.job(scene.build(IMAGE)))


def flashes_what_lay_there(scene: Scene) -> None:
    """A file that lay there before the daemon looked first is flashed by itself."""
    build = dataclasses.replace(scene.build(IMAGE), settled_at=50.0)
    scene.seen.builds[build.sha256] = build
    scene.checker.began()
    scene.show_build(build)


def obeys_onlooker(scene: Scene) -> None:
    """A connection that may only look puts a board on hold."""
    scene.ask(Wish.HOLD, read_only=True)


def runs_two(scene: Scene) -> None:
    """A lane runs two jobs."""
    scene.run(scene.job(scene.build(IMAGE)))
    scene.run(scene.job(scene.build(program(400))))


def comes_back_to_life(scene: Scene) -> None:
    """A job that has ended is queued again."""
    job = scene.flash(scene.build(IMAGE))
    scene.move(job, Queued())


def skips_its_work(scene: Scene) -> None:
    """A job is done without having run."""
    scene.move(scene.job(scene.build(IMAGE)), Done())


def is_superseded_by_older(scene: Scene) -> None:
    """A job gives way to an older one."""
    scene.job(scene.build(IMAGE))
    scene.move(scene.job(scene.build(IMAGE)), Superseded(by=1))


def degrades_otherwise(scene: Scene) -> None:
    """Degraded is not what the troubles say."""
    trouble = Trouble(part="journal", text="full", since=1.0)
    daemon = DaemonState(version="1", pid=1, instance="i", host="h", started_at=1.0, troubles=(trouble,))
    scene.checker.published(Event(seq=1, daemon=daemon))


def claims_other_bytes(scene: Scene) -> None:
    """The contents say that an image is there which is not."""
    scene.flash(scene.build(IMAGE))
    scene.show_place(contents=contents(scene.build(program(300, 2)), 1, ((0, 2 * SECTOR),)))


def claims_current(scene: Scene) -> None:
    """A partition is called current, and its contents do not have the newest build."""
    scene.flash(scene.build(IMAGE))
    scene.show_build(scene.build(program(300, 2)))
    scene.show_place(current=True)


def denies_current(scene: Scene) -> None:
    """A partition has the newest build, and is not called current."""
    build = scene.build(IMAGE)
    scene.flash(build)
    scene.show_build(build)
    scene.show_place(contents=contents(build, 9, ((0, 2 * SECTOR),)), current=False)


def claims_version(scene: Scene) -> None:
    """The contents have another version than the image."""
    build = dataclasses.replace(scene.build(IMAGE), version="1.2")
    scene.seen.builds[build.sha256] = build
    scene.show_place(contents=contents(build, 1, ((0, 2 * SECTOR),), version="1.1"))


def is_absent(scene: Scene) -> None:
    """A board that is plugged in is shown as absent."""
    scene.show(msgspec.structs.replace(scene.board, presence=Presence.ABSENT))
    scene.checker.seldom()


def forgets_hold(scene: Scene) -> None:
    """A person's hold was answered, and is not there."""
    scene.ask(Wish.HOLD)
    scene.checker.seldom()


def invents_hold(scene: Scene) -> None:
    """A hold by a person that no person has asked for."""
    scene.show(msgspec.structs.replace(scene.board, hold=BoardHold(reason="x")))
    scene.checker.seldom()


def forgets_to_arm(scene: Scene) -> None:
    """A board is disarmed, and nobody has asked for that."""
    scene.show(msgspec.structs.replace(scene.board, armed=False))
    scene.checker.seldom()


def hides_partition(scene: Scene) -> None:
    """A partition of the configuration is not shown."""
    scene.show(msgspec.structs.replace(scene.board, partitions=scene.board.partitions[:1]))
    scene.checker.seldom()


def loses_job(scene: Scene) -> None:
    """A job is shown, and not in the journal."""
    scene.job(scene.build(IMAGE))
    scene.checker.looked(Disk({}, {}, {}, frozenset(), {}))


def spoils_spool(scene: Scene) -> None:
    """A file of the spool is not what its name says."""
    scene.checker.looked(Disk({}, {}, {}, frozenset(), {hashlib.sha256(b"a").hexdigest(): b"b"}))


def leaves_litter(scene: Scene) -> None:
    """A half-done write lies there."""
    scene.checker.looked(Disk({}, {}, {}, frozenset(), {}, left_over=("x.part",)))


def forgets_layer(scene: Scene) -> None:
    """A partition has an image whose bytes are not kept."""
    known = contents(scene.build(IMAGE), 1, ((0, 2 * SECTOR),))
    scene.show_place(contents=known)
    scene.checker.looked(Disk({}, {("left", "app"): known}, {}, frozenset(), {}))


def loses_image(scene: Scene) -> None:
    """A job ends because nobody has kept its image."""
    failure = Failure(kind=ErrorKind.NO_SUCH_ARTIFACT, message="gone")
    scene.move(scene.job(scene.build(IMAGE)), Failed(failure=failure))


def removes_what_is_wanted(scene: Scene) -> None:
    """The image of a job that waits for its turn goes from the spool, and does not come back."""
    build = scene.build(IMAGE)
    job = scene.job(build)
    scene.checker.spooled(build.sha256, is_kept=False)
    scene.seen.now += 10
    scene.run(job)


def overlooks_a_build(scene: Scene) -> None:
    """A build lies at its path for long, and an older one is shown."""
    scene.show_build(scene.build(program(300, 2)))
    newest = dataclasses.replace(scene.build(IMAGE), path=APP.image, settled_at=scene.seen.now)
    scene.seen.newest["product", "app"] = newest
    scene.seen.now += 100
    scene.checker.seldom()


def sleeps_on(scene: Scene) -> None:
    """A job waits for its turn on a board that is there, and on which nothing else is to be done."""
    scene.job(scene.build(IMAGE))
    scene.seen.now += 100
    scene.checker.seldom()


def pauses_for_ever(scene: Scene) -> None:
    """A job is tried again after a pause that does not end."""
    scene.move(scene.run(scene.job(scene.build(IMAGE))), Waiting(for_=WaitFor.PAUSE, reason="tries again in 2 s"))
    scene.seen.now += 100
    scene.checker.seldom()


def erases_unrecorded(scene: Scene) -> None:
    """A job erases what the partition is still shown to have."""
    scene.flash(scene.build(IMAGE))
    scene.run(scene.job(scene.build(program(300, 2))), is_recorded=False)
    scene.erase(2)


def forgets_the_patch(scene: Scene) -> None:
    """A person flashes a program over a patch, which was the newest build, and it is not queued again."""
    place = dataclasses.replace(APP, guards=frozenset({"fits"}))
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": place})
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    goes_over_a_patch(scene)


def goes_over_a_patch(scene: Scene) -> None:
    """A person flashes a program over a patch, whose file is the newest."""
    scene.flash(scene.build(IMAGE))
    patch = scene.build(b"patch", offset=32)
    known = contents(patch, 9, ())
    below = contents(scene.build(IMAGE), 1, ((0, 2 * SECTOR),)).layers
    scene.bytes[2 * SECTOR + 32 : 2 * SECTOR + 37] = b"patch"
    scene.seen.newest["product", "app"] = patch
    scene.show_place(contents=msgspec.structs.replace(known, layers=(*known.layers, *below)))
    scene.flash(dataclasses.replace(patch, sha256=name_of(((0, IMAGE),)), pieces=((0, IMAGE),)), Origin.HAND)


def starts_in_lease(scene: Scene) -> None:
    """A build is flashed onto a board that somebody has taken."""
    scene.ask(Wish.TAKE)
    scene.show(msgspec.structs.replace(scene.board, lease=BoardLease(by="c", since=1.0)))
    scene.run(scene.job(scene.build(IMAGE)))


def arms_for_two(scene: Scene) -> None:
    """A board that is armed for one job gets a second one, for another partition."""
    for place in ("app", "data"):
        armed = msgspec.structs.replace(scene.job(scene.build(IMAGE, place), place), id=10 + scene.jobs, once=True)
        scene.checker.published(Event(seq=1, job=armed))


def starts_on_hold(scene: Scene) -> None:
    """A job begins on a board that a person has put on hold."""
    job = scene.job(scene.build(IMAGE))
    scene.ask(Wish.HOLD)
    scene.show(msgspec.structs.replace(scene.board, hold=BoardHold(reason="x")))
    scene.run(job)


def refuses_in_the_calm(scene: Scene) -> None:
    """A hold is refused though nothing fails any more."""
    scene.seen.is_calm = True
    scene.ask(Wish.HOLD, refused="other")


def refuses_without_reason(scene: Scene) -> None:
    """A hold is refused because the disk fails, and it never has."""
    scene.ask(Wish.HOLD, refused="host")


def cannot_write_any_more(scene: Scene) -> None:
    """A board cannot be armed, for a reason that is no disk's: nothing fails, and nothing has."""
    scene.ask(Wish.ARM, refused="other")


def does_what_it_refused(scene: Scene) -> None:
    """A flash is refused because the disk fails, and its job is queued all the same."""
    ask = Ask(step=1, life=1, at=100.0, client="c", wish=Wish.FLASH, boards=("left",), place="app")
    scene.seen.disk_failed_at = 99.0
    scene.checker.asked(ask)
    scene.job(scene.build(IMAGE), origin=Origin.HAND)
    ask.answered_at, ask.refused = 101.0, "host"
    scene.checker.answered(ask)


def leaves_canary(scene: Scene) -> None:
    """A job is complete, and its canary is still there."""
    scene.bytes[5 * SECTOR : 6 * SECTOR] = b"\xff" * SECTOR
    job = scene.run(scene.job(scene.build(IMAGE)))
    scene.write(BASE + 5 * SECTOR, b"flashdeck canary")
    scene.erase(2, 3)
    scene.write(APP.address + 16, IMAGE[16:])
    scene.write(APP.address, IMAGE[:16])
    scene.move(job, Written(result=result(verified=True)))


def begins_with_the_older(scene: Scene) -> None:
    """An interrupted job goes on, though a newer program waits."""
    job = scene.job(scene.build(IMAGE))
    scene.job(scene.build(program(300, 2)))
    scene.seen.now += 10
    scene.run(job)


def goes_over_the_newer(scene: Scene) -> None:
    """A job begins whose image is older than what was flashed."""
    job = scene.job(scene.build(IMAGE))
    scene.flash(scene.build(program(300, 2)))
    scene.run(job)


def trusts_a_twin(scene: Scene) -> None:
    """Two devices have shown a serial, and the one that is left is flashed by it."""
    scene.seen.devices["twin"] = dataclasses.replace(scene.device, name="twin", port="1-2")
    scene.checker.plugged()
    scene.seen.now += 10
    del scene.seen.devices["twin"]
    scene.checker.plugged()
    scene.run(scene.job(scene.build(IMAGE)))


def asks_one_of_two(scene: Scene) -> None:
    """An application is asked to come into DFU mode while two look like the board."""
    scene.seen.devices["twin"] = dataclasses.replace(scene.device, name="twin", port="1-2")
    scene.show(msgspec.structs.replace(scene.board, presence=Presence.AMBIGUOUS, trouble="two"))
    scene.move(scene.job(scene.build(IMAGE)), Running(phase=Phase.DETACH, since=1.0, answered_at=1.0))
    scene.checker.opened(Opened(step=1, life=1, device="device", lane="left", was_dfu=False))


def commands_one_of_two(scene: Scene) -> None:
    """The same with a command of one's own."""
    scene.seen.devices["twin"] = dataclasses.replace(scene.device, name="twin", port="1-2")
    scene.show(msgspec.structs.replace(scene.board, presence=Presence.AMBIGUOUS, trouble="two"))
    scene.move(scene.job(scene.build(IMAGE)), Running(phase=Phase.DETACH, since=1.0, answered_at=1.0))
    scene.checker.commanded("left")


def commands_what_is_gone(scene: Scene) -> None:
    """A command is run for a board that is not there any more."""
    scene.device.is_plugged, scene.device.mode = False, "unplugged"
    scene.show(msgspec.structs.replace(scene.board, presence=Presence.ABSENT))
    scene.move(scene.job(scene.build(IMAGE)), Running(phase=Phase.DETACH, since=1.0, answered_at=1.0))
    scene.checker.commanded("left")


def includes_less(scene: Scene, *, protected: bool) -> None:
    """Of an included file counts what nobody has confirmed."""
    scene.seen.now += 10  # the daemon has recorded what it went by before
    app, boot = APP, dataclasses.replace(BOOT, protected=False, image="/b/BOOT.bin")
    if not protected:
        app, boot = dataclasses.replace(APP, guards=frozenset({"fits"})), BOOT
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": app, "boot": boot}, is_included=True)
    boards = {"left": dataclasses.replace(BOARD, product=product)}
    scene.checker.took(Setup({"product": product}, boards, claimed={"product": product}))


def includes_without_guard(scene: Scene) -> None:
    """A guard is left out."""
    includes_less(scene, protected=False)


def includes_unprotected(scene: Scene) -> None:
    """Protection is gone."""
    includes_less(scene, protected=True)


def grows(scene: Scene) -> None:
    """More log lines are kept than may be."""
    bounds = next(rule for rule in scene.checker.rules if isinstance(rule, Bounds))
    bounds.measure = lambda: {"log lines": 10**6}
    scene.checker.seldom()


def stays_old(scene: Scene) -> None:
    """The newest build never comes home."""
    scene.flash(scene.build(IMAGE))
    scene.build(program(300, 2))
    scene.checker.rested()


def never_answers(scene: Scene) -> None:
    """A wait for a board that is there is never answered."""
    ask = Ask(step=1, life=1, at=100.0, client="c", wish=Wish.WAIT, boards=("left",), place="app", timeout=1000.0)
    scene.checker.asked(ask)
    scene.checker.rested()


def ask_for_history(scene: Scene, *jobs: JobState, place: str = "", order: int = -1) -> None:
    """A client asks for what was, and is told of some jobs."""
    ask = Ask(step=1, life=1, at=scene.seen.now, client="c", wish=Wish.LOOK, place=place, told=Told())
    scene.checker.asked(ask)
    assert ask.told is not None
    ask.answered_at, ask.told.jobs = scene.seen.now, tuple(sorted(jobs, key=lambda job: order * job.id))
    scene.checker.answered(ask)


def leaves_out_of_history(scene: Scene) -> None:
    """A job that has ended is not told of."""
    scene.flash(scene.build(IMAGE))
    ask_for_history(scene)


def tells_of_another_partition(scene: Scene) -> None:
    """The past of one partition has a job of another."""
    ask_for_history(scene, scene.flash(scene.build(IMAGE)), place="boot")


def tells_history_backwards(scene: Scene) -> None:
    """The oldest job comes first."""
    ask_for_history(scene, scene.flash(scene.build(IMAGE)), scene.flash(scene.build(program(300, 2))), order=1)


def tells_of_another_end(scene: Scene) -> None:
    """A job that is done is told of as failed."""
    job = scene.flash(scene.build(IMAGE))
    failed = Failed(failure=Failure(kind=ErrorKind.CRASHED, message="x"))
    ask_for_history(scene, msgspec.structs.replace(job, status=failed))


def end_a_wait(scene: Scene, *ends: tuple[str, str], **left_open: JobState | None) -> None:
    """A wait for two boards ends."""
    ask = Ask(step=1, life=1, at=scene.seen.now, client="c", wish=Wish.WAIT, boards=("left", "right"), place="app")
    scene.checker.asked(ask)
    ask.answered_at, ask.ends, ask.left_open = scene.seen.now, ends, left_open
    scene.checker.answered(ask)


def ends_a_wait_too_early(scene: Scene) -> None:
    """One board has the image, and of the other nobody knows yet."""
    end_a_wait(scene, ("left", ""), right=None)


def ends_a_wait_while_it_works(scene: Scene) -> None:
    """One board has failed, and the other's job runs."""
    end_a_wait(scene, ("left", "verify"), right=scene.run(scene.job(scene.build(IMAGE))))


def forgets_whom_it_waits_for(scene: Scene) -> None:
    """A board is not in the answer at all."""
    end_a_wait(scene, ("left", ""))


def hides_that_it_is_written(scene: Scene) -> None:
    """A file is written for a second, and nothing says so."""
    scene.seen.now += 20  # since the configuration was taken over
    scene.checker.wrote("/b/APP.bin", scene.seen.now - 1.0)


def waits_for_what_is_there(scene: Scene) -> None:
    """A job waits for a board that is plugged in."""
    scene.move(scene.job(scene.build(IMAGE)), Waiting(for_=WaitFor.ABSENT, reason="not connected"))
    scene.checker.rested()


RUNS = Judgement(verdict=Verdict.RUNS)
CRASHED = Judgement(verdict=Verdict.CRASHED)
SILENT = Judgement(verdict=Verdict.SILENT)
READY = (0.5, VERSION)
CRASH = (0.7, "HardFault")


def judges_without_a_word(scene: Scene) -> None:
    """An image is said to run, and has said nothing."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE)), RUNS)


def judges_by_the_former(scene: Scene) -> None:
    """An image is said to run for what the application said that was there before."""
    scene.give_console()
    scene.leave(READY)
    scene.seen.now += 10
    scene.enter()
    scene.judge(scene.start(scene.build(IMAGE)), RUNS)


def judges_another_version(scene: Scene) -> None:
    """An image is said to run, and has said another version than its own."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), (0.5, "flashdeck-test 1.0.2")), RUNS)


def judges_too_early(scene: Scene) -> None:
    """An image is said to run that has crashed before what it said has stood for as long as it had to."""
    scene.give_console(dataclasses.replace(SIGNS, stays=5.0))
    scene.judge(scene.start(scene.build(IMAGE), READY, CRASH), RUNS)


def hears_nothing(scene: Scene) -> None:
    """An image is said to be silent that has spoken in time, and nothing else has happened to its board."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY), SILENT, failed=ErrorKind.SILENT)


def crashes_without_reason(scene: Scene) -> None:
    """An image is said to have crashed that only spoke."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY), CRASHED, failed=ErrorKind.CRASHED)


def is_done_though_it_crashed(scene: Scene) -> None:
    """A job is done, and its image has crashed."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), CRASH), CRASHED)


def fails_though_it_runs(scene: Scene) -> None:
    """A job has failed because its image were silent, and it runs."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY), RUNS, failed=ErrorKind.SILENT)


def judges_without_console(scene: Scene) -> None:
    """A board without a console has a verdict."""
    scene.judge(scene.start(scene.build(IMAGE), READY), RUNS)


def changes_an_answer(scene: Scene) -> None:
    """It crashes later, and the job that was done has another verdict."""
    scene.give_console()
    job = scene.judge(scene.start(scene.build(IMAGE), READY, CRASH), RUNS)
    scene.move(job, Done(result=result(verified=True), verdict=CRASHED))


def takes_back_a_crash(scene: Scene) -> None:
    """What has crashed runs again, and nobody has flashed or reset it."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY, CRASH), CRASHED, failed=ErrorKind.CRASHED)
    scene.show_place(contents=msgspec.structs.replace(scene.contents(), verdict=RUNS))


def judges_what_was_there(scene: Scene) -> None:
    """An image gets a verdict whose visit was not judged."""
    scene.flash(scene.build(IMAGE))
    scene.give_console()
    scene.leave(READY)
    scene.seen.now += 10
    scene.show_place(contents=msgspec.structs.replace(scene.contents(), verdict=RUNS))


def hides_a_crash(scene: Scene) -> None:
    """What has crashed after its verdict is shown as running, to the end."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY, CRASH), RUNS)
    scene.checker.rested()


def ends_without_a_verdict(scene: Scene) -> None:
    """An image was started on a board with a console, and nobody judges that."""
    scene.give_console()
    scene.move(scene.start(scene.build(IMAGE), READY), Done(result=result(verified=True)))


def waits_for_the_wrong_end(scene: Scene) -> None:
    """A client is told that an image runs of which a crash is shown."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), CRASH), CRASHED, failed=ErrorKind.CRASHED)
    answer_a_wait(scene, "")


def waits_for_a_wrong_crash(scene: Scene) -> None:
    """A client is told of a crash, and the image is shown to run."""
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY), RUNS)
    answer_a_wait(scene, "crashed")


def answer_a_wait(scene: Scene, kind: str) -> None:
    ask = Ask(step=1, life=1, at=scene.seen.now, client="c", wish=Wish.WAIT, boards=("left",), place="app")
    scene.checker.asked(ask)
    ask.answered_at, ask.ends = scene.seen.now, (("left", kind),)
    scene.checker.answered(ask)


BACK = dataclasses.replace(SIGNS, goes_back=True)


def crash_after_one_that_ran(scene: Scene, *, origin: Origin = Origin.BUILD) -> Build:
    """An image runs, and the next one crashes; return the former."""
    ran = scene.build(IMAGE)
    scene.judge(scene.start(ran, READY), RUNS)
    scene.enter()
    scene.judge(scene.start(scene.build(program(300, 2)), CRASH, origin=origin), CRASHED, failed=ErrorKind.CRASHED)
    return ran


def goes_back_as_it_should(scene: Scene) -> None:
    """A build has crashed, and the board goes back to what ran."""
    scene.give_console(BACK)
    scene.job(crash_after_one_that_ran(scene), origin=Origin.FLASHDECK)


def goes_back_unconfigured(scene: Scene) -> None:
    """A board goes back by itself, and nothing in the configuration says so."""
    scene.give_console()
    scene.job(crash_after_one_that_ran(scene), origin=Origin.FLASHDECK)


def goes_back_on_hold(scene: Scene) -> None:
    """A board goes back by itself, and is on hold."""
    scene.give_console(BACK)
    ran = crash_after_one_that_ran(scene)
    scene.show(msgspec.structs.replace(scene.board, hold=BoardHold(reason="x")))
    scene.job(ran, origin=Origin.FLASHDECK)


def goes_back_to_what_never_ran(scene: Scene) -> None:
    """A board goes back by itself to an image that nobody saw run there."""
    scene.give_console(BACK)
    crash_after_one_that_ran(scene)
    scene.job(scene.build(program(300, 3)), origin=Origin.FLASHDECK)


def goes_back_behind_a_person(scene: Scene) -> None:
    """A board goes back by itself from what a person has flashed."""
    scene.give_console(BACK)
    scene.job(crash_after_one_that_ran(scene, origin=Origin.HAND), origin=Origin.FLASHDECK)


def goes_back_without_a_crash(scene: Scene) -> None:
    """A board goes back by itself, and all that it had has run."""
    scene.give_console(BACK)
    ran = scene.build(IMAGE)
    scene.judge(scene.start(ran, READY), RUNS)
    scene.job(ran, origin=Origin.FLASHDECK)


def leaves_it_undecided(scene: Scene) -> None:
    """A build has crashed, and nobody decides what follows."""
    scene.give_console(BACK)
    job = scene.judge(scene.start(scene.build(IMAGE), CRASH), CRASHED, failed=ErrorKind.CRASHED)
    scene.checker.published(Event(seq=1, job=msgspec.structs.replace(job, undecided=True)))
    scene.checker.rested()


BREAKS: tuple[tuple[str, Callable[[Scene], None]], ...] = (
    ("1", writes_outside),
    ("1", erases_beside),
    ("1", changes_without_job),
    ("1", canary_in_full_sector),
    ("1, canaries", leaves_canary),
    ("2", writes_protected),
    ("2", sends_mass_erase),
    ("3", opens_another),
    ("3", flashes_another),
    ("3", flashes_one_of_two),
    ("3, twins", trusts_a_twin),
    ("3, the way in", asks_one_of_two),
    ("3, the way in", commands_one_of_two),
    ("3, the way in", commands_what_is_gone),
    ("4", writes_other_bytes),
    ("4", flashes_unbuilt),
    ("5", flashes_stranger),
    ("4, taken in", overlooks_a_build),
    ("5", takes_stranger),
    ("5", refuses_good),
    ("6", begins_in_the_middle),
    ("6", writes_boot_unit_early),
    ("6", writes_boot_unit_with_others),
    ("6", starts_what_read_wrong),
    ("6, goes on", sleeps_on),
    ("6, goes on", pauses_for_ever),
    ("6, the newest", begins_with_the_older),
    ("6, the newest", goes_over_the_newer),
    ("7", flashes_again),
    ("7", brings_back),
    ("7", fills_erased),
    ("7, patches", forgets_the_patch),
    ("8", shows_escape),
    ("8", opens_foreign_path),
    ("9", verifies_untrue),
    ("9", verifies_wrong),
    ("10", touches_libusb),
    ("12", runs_on_moved),
    ("12", flashes_what_lay_there),
    ("12, included", includes_without_guard),
    ("12, included", includes_unprotected),
    ("13", obeys_onlooker),
    ("being written", hides_that_it_is_written),
    ("jobs", runs_two),
    ("jobs", comes_back_to_life),
    ("jobs", skips_its_work),
    ("jobs", is_superseded_by_older),
    ("jobs", degrades_otherwise),
    ("shown", claims_other_bytes),
    ("shown", claims_current),
    ("shown", denies_current),
    ("shown", claims_version),
    ("shown", erases_unrecorded),
    ("shown", is_absent),
    ("shown", forgets_hold),
    ("shown", invents_hold),
    ("shown", forgets_to_arm),
    ("shown", hides_partition),
    ("verdicts", judges_without_a_word),
    ("verdicts", judges_by_the_former),
    ("verdicts", judges_another_version),
    ("verdicts", judges_too_early),
    ("verdicts", hears_nothing),
    ("verdicts", crashes_without_reason),
    ("verdicts", is_done_though_it_crashed),
    ("verdicts", fails_though_it_runs),
    ("verdicts", judges_without_console),
    ("verdicts", changes_an_answer),
    ("verdicts", takes_back_a_crash),
    ("verdicts", judges_what_was_there),
    ("verdicts", hides_a_crash),
    ("verdicts", ends_without_a_verdict),
    ("verdicts", waits_for_the_wrong_end),
    ("verdicts", waits_for_a_wrong_crash),
    ("back by itself", goes_back_unconfigured),
    ("back by itself", goes_back_on_hold),
    ("back by itself", goes_back_to_what_never_ran),
    ("back by itself", goes_back_behind_a_person),
    ("back by itself", goes_back_without_a_crash),
    ("back by itself", leaves_it_undecided),
    ("records", loses_job),
    ("records", spoils_spool),
    ("records", leaves_litter),
    ("records", forgets_layer),
    ("records", loses_image),
    ("records", removes_what_is_wanted),
    ("leases", starts_in_lease),
    ("armed once", arms_for_two),
    ("holds", starts_on_hold),
    ("answers", refuses_in_the_calm),
    ("answers", refuses_without_reason),
    ("answers", cannot_write_any_more),
    ("waits", ends_a_wait_too_early),
    ("waits", ends_a_wait_while_it_works),
    ("waits", forgets_whom_it_waits_for),
    ("history", leaves_out_of_history),
    ("history", tells_of_another_partition),
    ("history", tells_history_backwards),
    ("history", tells_of_another_end),
    ("asked for", does_what_it_refused),
    ("bounds", grows),
    ("rest", stays_old),
    ("rest", never_answers),
    ("rest", waits_for_what_is_there),
)


@pytest.mark.parametrize(("rule", "break_it"), BREAKS, ids=[f"{rule}-{break_it.__name__}" for rule, break_it in BREAKS])
def test_a_rule_finds_the_one_thing_that_is_wrong(rule: str, break_it: Callable[[Scene], None]) -> None:
    """The rule is named, and says what it has seen."""
    with pytest.raises(BrokenRuleError) as found:
        break_it(Scene())
    assert found.value.rule == rule, found.value
    assert found.value.what


def test_each_rule_is_broken_by_a_scene() -> None:
    """Rules 1 to 10, 12 and 13 of DESIGN, section 5, are among them."""
    names = {rule.name for rule in RULES}
    assert names == {rule for rule, _ in BREAKS}
    assert {str(number) for number in (*range(1, 11), 12, 13)} <= names


def test_a_flash_as_it_should_be_breaks_no_rule() -> None:
    """Flash, rest; a canary before; a cut and what follows; another image, and the first one again."""
    scene = flashed()
    scene.checker.rested()
    other = scene.build(program(300, 3))
    scene.show_build(other)
    job = scene.run(scene.job(other))
    scene.change(Did.TORN_ERASE, APP.address, b"\x77" * SECTOR)
    job = scene.move(job, Waiting(for_=WaitFor.ABSENT, reason="lost"))
    scene.move(job, Queued())
    scene.run(job)
    scene.erase(2, 3)
    scene.write(APP.address + 16, program(300, 3)[16:])
    scene.write(APP.address, program(300, 3)[:16])
    again = scene.build(IMAGE)
    scene.show_build(again)


def test_history_and_waits_that_are_answered_as_they_should_be_break_no_rule() -> None:
    """All of the past, or that of one partition; a wait in which one board has failed, and the other stands still."""
    scene = Scene()
    first, second = scene.flash(scene.build(IMAGE)), scene.flash(scene.build(program(300, 2)))
    ask_for_history(scene, first, second)
    ask_for_history(scene, first, second, place="app")
    ask_for_history(scene, place="boot")
    still = scene.move(scene.job(scene.build(IMAGE)), Waiting(for_=WaitFor.ABSENT, reason="not connected"))
    end_a_wait(scene, ("left", "verify"), right=still)


def test_a_file_that_is_shown_as_being_written_breaks_no_rule() -> None:
    """Neither does one that nobody was told of long enough ago, nor one that no board is waiting for."""
    scene = Scene()
    scene.seen.now += 20
    scene.checker.wrote("/b/APP.bin", scene.seen.now)
    scene.checker.wrote("/b/ELSE.bin", scene.seen.now - 1.0)
    scene.show_place(being_written=True)
    scene.checker.wrote("/b/APP.bin", scene.seen.now - 1.0)


def test_a_canary_comes_and_goes_in_a_blank_sector() -> None:
    """It may be cut short as it is erased, and be taken away by a later job."""
    scene = Scene()
    scene.bytes[5 * SECTOR : 6 * SECTOR] = b"\xff" * SECTOR
    scene.run(scene.job(scene.build(IMAGE)))
    at = BASE + 5 * SECTOR
    scene.write(at, b"flashdeck canary")
    scene.change(Did.TORN_ERASE, at, b"\xf7" * 16 + b"\xff" * (SECTOR - 16))
    scene.erase(5, 2, 3)


def test_a_lie_that_nobody_can_notice_breaks_no_rule() -> None:
    """Where the first sector that is written does not read back, nothing counts as read."""
    scene = Scene()
    scene.run(scene.job(scene.build(IMAGE)))
    scene.checker.lied("device", Lie(step=1, address=APP.address, size=SECTOR, is_erase=True))
    scene.erase(3)
    scene.write(APP.address + 256, IMAGE[256:])


def test_a_job_that_reads_speaks_of_the_device_that_it_opened() -> None:
    """Another board was flashed in this place meanwhile; the first is back, and has the image already."""
    scene = flashed()
    build = scene.build(IMAGE)
    other = dataclasses.replace(scene.device, name="other", content=bytearray(b"\x55" * (8 * SECTOR)), serial="B")
    scene.seen.devices["other"] = other
    scene.checker.attempts.flashed["left", "app"] = "other"
    job = scene.run(scene.job(build, origin=Origin.HAND))
    scene.checker.opened(Opened(step=1, life=1, device="device", lane="left", was_dfu=True))
    scene.move(job, Written(result=result(verified=True)))
    other.serial, scene.device.serial = "A", "B"
    job = scene.run(scene.job(build, origin=Origin.HAND))
    scene.checker.opened(Opened(step=1, life=1, device="other", lane="left", was_dfu=True))
    with pytest.raises(BrokenRuleError, match="other has 0x55"):
        scene.move(job, Written(result=result(verified=True)))


def test_a_job_that_is_cancelled_as_its_work_is_recorded_shows_its_end_alone() -> None:
    """Each event is a whole state, and one that another has overtaken is not told."""
    scene = Scene()
    job = scene.run(scene.job(None, kind=JobKind.RESET, origin=Origin.HAND))
    scene.move(job, Done(not_started="cancelled before the leave"))


def test_a_job_that_is_released_as_its_board_is_taken_is_never_shown_as_queued() -> None:
    """What has overtaken that, before it was recorded, is told alone."""
    scene = Scene()
    job = scene.move(scene.job(scene.build(IMAGE)), Blocked(reason="x"))
    scene.move(job, Waiting(for_=WaitFor.LEASE, reason="taken"))


def test_images_have_the_names_that_the_product_gives_them() -> None:
    """A raw image, and one in pieces."""
    for pieces in (((0, b"abc"),), ((4, b"abc"), (16, b"x" * 100))):
        assert name_of(pieces) == Image(tuple(Piece(offset, data) for offset, data in pieces)).sha256


def test_each_field_of_a_board_is_held() -> None:
    """A field that comes new has to be held, too."""
    fields = {f"board.{name}" for name in BoardState.__struct_fields__}
    fields |= {f"partition.{name}" for name in PartitionState.__struct_fields__}
    assert fields == FIELDS.keys()


def test_a_person_asks_again_for_what_was_gone_back_from() -> None:
    """A rollback, and then a flash by hand: builds flash by themselves again."""
    scene = Scene()
    build = scene.build(IMAGE)
    scene.flash(build)
    scene.ask(Wish.ROLLBACK)
    scene.flash(build, Origin.HAND)
    scene.ask(Wish.ERASE)
    scene.move(scene.run(scene.job(None, kind=JobKind.ERASE, origin=Origin.HAND)), Queued())
    scene.flash(build, Origin.HAND)


def test_what_a_person_has_confirmed_of_an_included_file_counts() -> None:
    """Also where another version may have been confirmed, too."""
    scene = Scene()
    app = dataclasses.replace(APP, guards=frozenset({"fits"}))
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": app}, is_included=True)
    boards = {"left": dataclasses.replace(BOARD, product=product)}
    claimed = {"product": product}
    scene.checker.took(Setup({"product": product}, boards, claimed=claimed, confirmed=({"product": PRODUCT}, claimed)))


def test_a_patch_that_the_guards_refuse_is_not_queued_again() -> None:
    goes_over_a_patch(Scene())


def test_a_build_may_be_taken_in_late_while_the_threads_that_read_are_late() -> None:
    scene = Scene()
    scene.seen.pool_late_at = scene.seen.now + 90
    overlooks_a_build(scene)


def test_a_life_that_begins_shows_what_it_finds_recorded() -> None:
    """That a job ran when the last one ended is no beginning, whatever that one showed last."""
    scene = Scene()
    old, other = scene.job(scene.build(IMAGE)), scene.job(scene.build(program(300, 2)))
    scene.run(other)
    scene.move(other, Queued())
    scene.seen.now += 10
    scene.checker.began()
    scene.run(old)


@pytest.mark.parametrize("is_alive", [False, True])
def test_two_jobs_of_a_board_run_at_once_in_a_record_alone(*, is_alive: bool) -> None:
    """A disk that was full may have kept from being recorded that the first was over; nobody sees both."""
    scene = Scene()
    old, newer = scene.job(scene.build(IMAGE)), scene.job(scene.build(program(300, 2)))
    scene.checker.began()
    scene.seen.is_alive = is_alive
    scene.run(old)
    with pytest.raises(BrokenRuleError, match="rule jobs") if is_alive else nullcontext():
        scene.run(newer)


def test_a_lie_of_a_flash_counts_until_each_of_its_sectors_is_erased() -> None:
    scene = Scene()
    scene.checker.lied("device", Lie(step=0, address=APP.address, size=2 * SECTOR, is_erase=False))
    scene.run(scene.job(scene.build(IMAGE)))
    scene.erase(2)
    attempts = scene.checker.attempts
    assert not attempts.is_wrong("device", APP.address + SECTOR - 1)
    assert attempts.is_wrong("device", APP.address + SECTOR)


@pytest.mark.parametrize("is_told", [False, True])
def test_a_daemon_that_ends_in_a_reload_last_ran_with_the_configuration_before(*, is_told: bool) -> None:
    """It was protected for a moment, and is not after the next start: only where that was in force is it a change."""
    scene = Scene()
    place = dataclasses.replace(APP, protected=True)
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": place})
    usual = scene.seen.setup
    tell_configuration(scene)
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    if is_told:
        tell_configuration(scene)
    scene.checker.began()
    scene.checker.took(usual)
    with pytest.raises(BrokenRuleError, match="rule 12") if is_told else nullcontext():
        scene.run(scene.job(scene.build(IMAGE)))


@pytest.mark.parametrize(("failed_at", "is_broken"), [(99.0, True), (100.5, False)])
def test_what_a_client_asked_for_before_the_disk_failed_may_be_refused_in_the_calm(
    failed_at: float, *, is_broken: bool
) -> None:
    """A client that stalls reads its answer late: it is as old as what failed then."""
    scene = Scene()
    ask = Ask(step=1, life=1, at=100.0, client="c", wish=Wish.RELEASE, boards=("left",))
    scene.checker.asked(ask)
    scene.seen.disk_failed_at, scene.seen.is_calm = failed_at, True
    ask.answered_at, ask.refused = 106.0, "host"
    with pytest.raises(BrokenRuleError, match="rule answers") if is_broken else nullcontext():
        scene.checker.answered(ask)


@pytest.mark.parametrize("is_released", [False, True])
def test_a_board_may_be_released_between_its_hold_and_the_configuration_that_it_is_for(*, is_released: bool) -> None:
    """A reload holds the boards first: whoever releases one has read of the difference."""
    scene = Scene()
    hold = BoardHold(reason="the configuration has changed: partition app is resized", by=HoldBy.FLASHDECK)
    scene.show(msgspec.structs.replace(scene.board, hold=hold))
    if is_released:
        scene.ask(Wish.RELEASE)
    scene.show(msgspec.structs.replace(scene.board, hold=None))
    smaller = dataclasses.replace(APP, size=APP.size - SECTOR)
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": smaller})
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    with nullcontext() if is_released else pytest.raises(BrokenRuleError, match="nobody released it"):
        scene.run(scene.job(scene.build(IMAGE)))


def test_a_job_ends_under_the_configuration_that_it_began_with() -> None:
    """Its partition has grown while it was erased: the sector that is new was none of its business."""
    scene = Scene()
    usual = scene.seen.setup
    smaller = dataclasses.replace(APP, size=APP.size - SECTOR)
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": smaller})
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    scene.ask(Wish.RELEASE)
    job = scene.run(scene.job(None, kind=JobKind.ERASE, origin=Origin.HAND))
    scene.checker.opened(Opened(step=1, life=1, device="device", lane="left", was_dfu=True))
    scene.erase(2, 3, 4)
    scene.checker.took(usual)
    scene.move(job, Written(result=result(verified=True)))


def tell_configuration(scene: Scene) -> None:
    state = DaemonState(
        version="1",
        pid=1,
        instance="",
        host="",
        started_at=1.0,
        configuration=ConfigurationState(files=(), read_at=1.0),
    )
    scene.checker.published(Event(seq=1, daemon=state))


def test_a_board_whose_contents_are_those_of_another_device_need_not_be_at_home() -> None:
    scene = Scene()
    build = scene.build(IMAGE)
    scene.flash(build)
    scene.device.serial = scene.device.app_serial = "B"
    scene.seen.setup = Setup({"product": PRODUCT}, {"left": dataclasses.replace(BOARD, serial="", port="1-1")})
    scene.bytes[2 * SECTOR : 3 * SECTOR] = b"\xff" * SECTOR  # it has other bytes than what was flashed as this board
    scene.checker.rested()


def test_what_a_daemon_asked_for_that_has_ended_is_judged_by_the_configuration_of_then() -> None:
    """A board carries it out later, when its partition is protected: nobody can call it back."""
    scene = Scene()
    job = scene.run(scene.job(scene.build(IMAGE)))
    place = dataclasses.replace(APP, protected=True)
    product = dataclasses.replace(PRODUCT, places={**PRODUCT.places, "app": place})
    scene.seen.life = 2
    scene.checker.began()
    scene.checker.took(Setup({"product": product}, {"left": dataclasses.replace(BOARD, product=product)}))
    scene.change(Did.ERASED, APP.address, b"\xff" * SECTOR, job=job.id)


@pytest.mark.parametrize(
    ("said", "verdict", "failed"),
    [
        ((READY,), RUNS, None),
        ((CRASH,), CRASHED, ErrorKind.CRASHED),
        (((9.0, VERSION),), SILENT, ErrorKind.SILENT),
        (((3.2, VERSION),), SILENT, ErrorKind.SILENT),
        (((3.2, VERSION),), RUNS, None),
        (((0.5, "flashdeck-test 2"),), Judgement(verdict=Verdict.ANOTHER_BUILD), ErrorKind.ANOTHER_BUILD),
    ],
)
def test_a_start_is_judged_as_it_was(
    said: tuple[tuple[float, str], ...], verdict: Judgement, failed: ErrorKind | None
) -> None:
    """What comes just as `within` is over may count on either side of it."""
    scene = Scene()
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), *said), verdict, failed=failed)


@pytest.mark.parametrize("is_other_life", [False, True])
def test_a_start_that_another_life_has_begun_to_hear_may_be_judged_otherwise(*, is_other_life: bool) -> None:
    """Nobody knows then what it heard; that it runs needs its word all the same."""
    scene = Scene()
    scene.give_console()
    job = scene.start(scene.build(IMAGE), READY)
    if is_other_life:
        scene.checker.began()
        scene.show(scene.board)
        scene.move(job, job.status)
    with nullcontext() if is_other_life else pytest.raises(BrokenRuleError, match="rule verdicts"):
        scene.judge(job, Judgement(verdict=Verdict.UNKNOWN, reason="nobody was there"))


def test_a_crash_that_comes_to_light_is_shown_and_a_reset_renews_it() -> None:
    scene = Scene()
    scene.give_console()
    scene.judge(scene.start(scene.build(IMAGE), READY, CRASH), RUNS)
    scene.show_place(contents=msgspec.structs.replace(scene.contents(), verdict=CRASHED))
    answer_a_wait(scene, "crashed")
    scene.checker.rested()
    scene.enter()
    job = scene.run(scene.job(None, kind=JobKind.RESET, origin=Origin.HAND))
    scene.leave(READY)
    scene.seen.now += 10
    job = scene.move(job, Written())
    scene.show_place(contents=msgspec.structs.replace(scene.contents(), verdict=RUNS))
    scene.move(job, Done())
    answer_a_wait(scene, "")


def test_a_board_may_go_back_to_what_ran_behind_a_crash() -> None:
    goes_back_as_it_should(Scene())
