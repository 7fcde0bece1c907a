"""Actions on a partition: flash, plan, verify, erase, go back to an earlier program."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.image_file import read_image
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.job_state import JobKind
from flashdeck.model import ArtifactState, Disposition, JobState
from flashdeck.names import few, literal
from flashdeck.paths import absolute
from flashdeck.text import counted, format_age, format_size
from flashdeck.words.contents import contents_name, image_name
from flashdeck_tui.actions.action import Action, Choice, Context, Needs
from flashdeck_tui.actions.many import (
    Answers,
    Target,
    all_protected,
    boards_text,
    choose_partition,
    literals,
    on_each_host,
    targets,
    tell,
    with_partition,
)
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.views.plan_lines import plan_lines

MOST_EARLIER = 20
"""Earlier images of a partition that can be chosen."""
JOBS_LOOKED_AT = 200
"""Jobs of the history in which they are looked for."""

_NEWEST = "newest"
_FILE = "file"
_FORCED = "forced"
_FORCED_FILE = "forced-file"
_EARLIER = "sha256:"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The image that a person has chosen, for some boards of one partition."""

    partition: str
    boards: tuple[Target, ...]
    sha256_of: Callable[[FleetHost], str]
    """The image on each host; "" for the newest build there."""


async def _chosen(context: Context, verb: str) -> _Chosen | None:
    """Let the person choose partition and image; the newest build comes first."""
    partition = await choose_partition(context, verb, targets(context))
    boards = tuple(with_partition(targets(context), partition or ""))
    if not partition or not boards:
        return None
    newest = {board.host.name: _newest(board.host, boards, partition) for board in boards}
    choices = [
        *_newest_choice(newest, context.now),
        Choice(_FILE, "a file …", f"its bytes are sent: {SUFFIXES_IN_WORDS}"),
    ]
    title = f"{verb} {partition} of {boards_text(boards)} with"
    match await context.choose(title, choices, lambda: _earlier(context, boards, partition)):
        case "newest":
            return _Chosen(partition, boards, lambda host: newest[host.name].sha256)
        case "file":
            sent = await _sent(context, partition, boards)
            return None if sent is None else _Chosen(partition, boards, lambda host: sent[host.name])
        case str() as key:
            return _Chosen(partition, boards, lambda _: key.removeprefix(_EARLIER))
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest build of one host for some boards."""

    builds: tuple[ArtifactState, ...]
    """One for each profile that has one."""

    @property
    def sha256(self) -> str:
        """The image, where it is one for all; "" lets the daemon take that of each board."""
        return self.builds[0].sha256 if len({build.sha256 for build in self.builds}) == 1 else ""


def _newest(host: FleetHost, boards: Sequence[Target], partition: str) -> _Newest:
    found = (host.store.artifact(board.name, partition) for board in boards if board.host is host)
    usable = (build for build in found if build is not None and build.disposition is not Disposition.REFUSED)
    return _Newest(tuple({build.profile: build for build in usable}.values()))


def _newest_choice(newest: dict[str, _Newest], now: float) -> list[Choice]:
    builds = [build for each in newest.values() for build in each.builds]
    if not builds:
        return []
    names = list(dict.fromkeys(image_name(build.version, build.sha256) for build in builds))
    first = max(builds, key=lambda build: build.seen_at)
    detail = f"{format_size(first.size)}, {format_age(now - first.seen_at)} old, {first.source}"
    return [Choice(_NEWEST, f"the newest build: {few(names)}", detail)]


async def _earlier(context: Context, boards: Sequence[Target], partition: str) -> list[Choice]:
    """Return the images that these boards have had, newest first; none where they are of several hosts."""
    (host, *others) = {board.host.name: board.host for board in boards}.values()
    if others:
        return []
    asked = api.GetHistory(boards=literals(boards), partition=partition, limit=JOBS_LOOKED_AT)
    try:
        page = await context.call(asked, host=host)
    except FlashdeckError as error:  # the rest can be chosen all the same
        context.tell(
            f"Earlier images are not known: {error.message}", (error.hint,) if error.hint else (), is_error=True
        )
        return []
    jobs: dict[str, JobState] = {}
    for job in page.jobs:
        if job.kind is JobKind.FLASH and job.sha256:
            jobs.setdefault(job.sha256, job)
    return [
        Choice(f"{_EARLIER}{job.sha256}", f"earlier: {image_name(job.version, job.sha256)}", _of_job(job, context.now))
        for job in list(jobs.values())[:MOST_EARLIER]
    ]


def _of_job(job: JobState, now: float) -> str:
    return f"{format_size(job.size)}, {format_age(now - job.at)} ago by job {job.id} on {job.board}: {job.text}"


async def _sent(context: Context, partition: str, boards: Sequence[Target]) -> dict[str, str] | None:
    """Return the image that a file is on each host, once its bytes are there."""
    title = f"Image for {partition} of {boards_text(boards)}"
    path = await context.ask_path(title, "path of the file, as ~/fw/build/APP1.bin")
    if path is None:
        return None
    data = await asyncio.to_thread(_read, path)
    sent: dict[str, str] = {}
    for host in {board.host.name: board.host for board in boards}.values():
        mine = tuple(literal(board.name) for board in boards if board.host is host)
        image = await context.upload(Path(path).name, data, partition=partition, boards=mine, host=host)
        sent[host.name] = image.sha256
    return sent


def _read(path: str) -> bytes:
    return read_image(absolute(path))


async def _flash(context: Context) -> None:
    chosen = await _chosen(context, "Flash")
    if chosen is None:
        return

    def ask(mine: list[Target]) -> api.Params[api.JobList]:
        sha256 = chosen.sha256_of(mine[0].host)
        return api.Flash(partition=chosen.partition, sha256=sha256, boards=literals(mine))

    _tell_jobs(context, chosen.partition, await on_each_host(context, chosen.boards, ask))


def _tell_jobs(context: Context, partition: str, answers: Answers[api.JobList], verb: str = "") -> None:
    """Say which jobs were queued, and what the daemon remarks on them."""
    jobs = [job for _, reply in answers.given for job in reply.jobs]
    boards = [context.fleet.shown_name(host, job.board) for host, reply in answers.given for job in reply.jobs]
    notes = [note for _, reply in answers.given for note in reply.notes]
    if len(jobs) == 1:
        (job,) = jobs
        image = image_name(job.version, job.sha256) if job.sha256 else ""
        what = verb or f"{image} into"
        text = f"Job {job.id}: {what} {partition} of {boards[0]}."
    else:
        images = list(dict.fromkeys(image_name(job.version, job.sha256) for job in jobs if job.sha256))
        what = verb or f"{few(images)} into"
        text = f"{counted(len(jobs), 'job')}: {what} {partition} of {few(boards)}."
    tell(context, text, answers, notes)


async def _plan(context: Context) -> None:
    chosen = await _chosen(context, "Plan")
    if chosen is None:
        return

    def ask(mine: list[Target]) -> api.Params[api.PlanList]:
        sha256 = chosen.sha256_of(mine[0].host)
        return api.Plan(partition=chosen.partition, sha256=sha256, boards=literals(mine))

    answers = await on_each_host(context, chosen.boards, ask)
    plans = [plan for _, reply in answers.given for plan in reply.plans]
    blocked = sum(bool(plan.blocked) for plan in plans)
    would = f"; {blocked} would not start" if blocked else ""
    tell(context, f"{counted(len(plans), 'plan')} for {chosen.partition}{would}. Nothing was written.", answers)
    context.show_lines(f"plan for {chosen.partition} of {boards_text(chosen.boards)}", plan_lines(plans))


async def _verify(context: Context) -> None:
    partition = await choose_partition(context, "Verify", targets(context))
    boards = with_partition(targets(context), partition or "")
    if not partition or not boards:
        return
    await _queue_verify(context, partition, boards, lambda _: "", force=False)


async def _verify_with(context: Context) -> None:
    """Compare with a file, or read also where reads were refused."""
    partition = await choose_partition(context, "Verify", targets(context))
    boards = tuple(with_partition(targets(context), partition or ""))
    if not partition or not boards:
        return
    forced = "reads also where reads were refused, or seen not to be true"
    choices = [
        Choice(_FILE, "a file …", f"its bytes are sent: {SUFFIXES_IN_WORDS}"),
        Choice(_FORCED_FILE, "a file …, all the same", forced),
        Choice(_FORCED, "what flashdeck knows of it, all the same", forced),
    ]
    chosen = await context.choose(f"Verify {partition} of {boards_text(boards)} with", choices)
    if chosen is None:
        return
    sent = await _sent(context, partition, boards) if chosen in (_FILE, _FORCED_FILE) else {}
    if sent is not None:
        images = sent
        await _queue_verify(context, partition, boards, lambda host: images.get(host.name, ""), force=chosen != _FILE)


async def _queue_verify(
    context: Context, partition: str, boards: Sequence[Target], sha256_of: Callable[[FleetHost], str], *, force: bool
) -> None:
    def ask(mine: list[Target]) -> api.Params[api.JobList]:
        sha256 = sha256_of(mine[0].host)
        return api.Verify(partition=partition, sha256=sha256, boards=literals(mine), force=force)

    _tell_jobs(context, partition, await on_each_host(context, boards, ask), "verify")


async def _erase(context: Context) -> None:
    partition = await choose_partition(context, "Erase", targets(context))
    boards = with_partition(targets(context), partition or "")
    if not partition or not boards:
        return
    question = f"Erase {partition} of {boards_text(boards)}?"
    lost = f"All of it is lost{_has(boards, partition)}. Builds for it are then offered until you flash one."
    if await context.confirm(question, lost):
        answers = await on_each_host(
            context, boards, lambda mine: api.Erase(partition=partition, boards=literals(mine))
        )
        _tell_jobs(context, partition, answers, "erase")


def _has(boards: Sequence[Target], partition: str) -> str:
    known = [board.host.store.partition(board.name, partition) for board in boards]
    names = dict.fromkeys(
        contents_name(part.contents) for part in known if part and part.contents and not part.contents.erased
    )
    return f" ({few(names)})" if names else ""


async def _rollback(context: Context) -> None:
    partition = await choose_partition(context, "Roll back", targets(context))
    boards = with_partition(targets(context), partition or "")
    if not partition or not boards:
        return
    planned = await on_each_host(
        context, boards, lambda mine: api.PlanRollback(partition=partition, boards=literals(mine))
    )
    plans = [plan for _, reply in planned.given for plan in reply.plans]
    possible = [board for board in boards if any(board.host is host for host, _ in planned.given)]
    question = f"Roll {partition} of {boards_text(possible)} back to {few(_images_of(plans, possible))}?"
    lost = "The program that is there now is then offered, and flashed only when you ask."
    if not await context.confirm(question, lost, plan_lines(plans)):
        return
    answers = await on_each_host(
        context, possible, lambda mine: api.Rollback(partition=partition, boards=literals(mine))
    )
    _tell_jobs(context, partition, Answers(answers.given, (*planned.failed, *answers.failed)))


def _images_of(plans: Sequence[api.BoardPlan], boards: Sequence[Target]) -> list[str]:
    """Return the images of plans, with the version where one of the known jobs has it."""
    versions = {job.sha256: job.version for board in boards for job in board.host.store.jobs.values()}
    return list(dict.fromkeys(image_name(versions.get(plan.sha256, ""), plan.sha256) for plan in plans))


ACTIONS: tuple[Action, ...] = (
    Action(
        id="flash",
        key="f",
        title="Flash",
        description="Flash a partition with what you choose: the newest build, an earlier image, or a file.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_flash,
        changes=True,
        command="flash",
    ),
    Action(
        id="plan",
        key="p",
        title="Plan",
        description="Show what a flash would do, step by step. Nothing is written.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_plan,
        changes=True,
        command="plan",
    ),
    Action(
        id="verify",
        key="v",
        title="Verify",
        description="Read a partition and compare it with what flashdeck knows of it. Nothing is written.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_verify,
        changes=True,
        command="verify",
    ),
    Action(
        id="verify-with",
        key="V",
        title="Verify with",
        description="Compare a partition with a file, or read it also where reads were refused. Nothing is written.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_verify_with,
        changes=True,
        command="verify",
    ),
    Action(
        id="rollback",
        key="b",
        title="Roll back",
        description="Go back to the last program that was good, after you have seen the plan.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_rollback,
        changes=True,
        command="rollback",
    ),
    Action(
        id="erase",
        key="E",
        title="Erase",
        description="Erase a whole partition, after a question.",
        needs=Needs.PARTITION,
        check=all_protected,
        run=_erase,
        changes=True,
        command="erase",
    ),
)
