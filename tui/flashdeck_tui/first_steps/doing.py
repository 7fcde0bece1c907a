"""Carries out the steps behind the last yes, and tells of each: a failure half way says what was done."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flashdeck import api
from flashdeck.client import Client
from flashdeck.config_file import proposed
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RemoteError
from flashdeck.image_file import LoadedImage, load_image, send_image
from flashdeck.job_following import Following, carry_out
from flashdeck.names import literal
from flashdeck.outcome import Outcome
from flashdeck.text import MAX_PATH, clean
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui.cli.orders import Order, watch_of
from flashdeck_tui.cli.queued_jobs import tell_of_queued
from flashdeck_tui.first_steps.blank_file import write_new
from flashdeck_tui.first_steps.last_steps import Steps
from flashdeck_tui.first_steps.setup import ImageFor
from flashdeck_tui.installer.carrying_out import carry_out as install_steps
from flashdeck_tui.installer.steps import Remark, StepResult, StepState, steps_of
from flashdeck_tui.installer.this_machine import ThisMachine, user_environment

START_SECONDS: Final = 20.0
"""Longest time until a daemon that was just started answers."""
LOOK_AGAIN: Final = 0.5
"""Seconds between two looks for a daemon, or for a line in a file."""
AGAIN: Final = "run flashdeck init again: it goes on from here"
"""The hint where a step failed and nothing else is known to help."""

Say = Callable[[str], object]


@dataclass(slots=True)
class Doing:
    """The steps as they are carried out."""

    steps: Steps
    where: Whereabouts
    order: Order
    say: Say
    may_ask: bool
    """True if a person is there who can start a daemon, or add a line."""
    done: list[str] = field(default_factory=list[str])
    """The steps that were done so far, in words."""
    installed: tuple[StepResult, ...] = ()
    refused: RemoteError | None = None
    """The refusal of an image where those before it were taken."""
    _data: dict[ImageFor, LoadedImage] = field(default_factory=dict[ImageFor, LoadedImage])

    def read(self) -> None:
        """Read the images as they are now, before anything is changed. Raises FlashdeckError."""
        for image in self.steps.setup.images:
            self._data[image] = load_image(image.path)

    def write(self) -> None:
        """Write the file, never over another one, and check it as the daemon will. Raises FlashdeckError."""
        file = self.steps.file
        shown = clean(str(file), MAX_PATH)
        if self.steps.is_there:
            self._note(f"{shown} is there already")
            return
        write_new(file, self.steps.setup.text)
        self._note(f"wrote {shown}")
        proposed(self.steps.main, file, self.steps.setup.text)

    def install(self, machine: ThisMachine) -> None:
        """Install what is missing. What needs root and cannot have it is said, and the rest goes on."""
        steps = steps_of(self.steps.install)

        def tell(step: object) -> None:
            self.say(f"{step}")

        environment = user_environment(machine.uid)
        self.installed = tuple(install_steps(steps, is_root=machine.is_root, environment=environment, tell=tell))
        for result in self.installed:
            if result.state is not StepState.DONE and not result.optional:
                self.say(f"{result.state}: {result.step}" + (f" ({result.reason})" if result.reason else ""))
        for line in self.steps.install:
            if isinstance(line, Remark):
                self.say(line.text)
        missing = [each for each in self.installed if each.state is not StepState.DONE and not each.optional]
        if missing:
            self.say("'flashdeck install' tries this again; without it, access to the board may be missing")
        elif self.installed:
            self._note("installed what was missing")

    async def flash(self) -> Outcome:
        """Let the daemon read the file, and flash the images. Raises FlashdeckError."""
        names = ", ".join(image.partition for image in self.steps.setup.images)
        async with await self._connected() as client:
            if self.steps.writes:
                await self._reload(client)
            following = Following(timeout=self.order.timeout)
            done = await carry_out(client, lambda: self._ask(client), names, following, watch_of(self.order))
        tell_of_queued(done.jobs)
        return done

    async def _ask(self, client: Client) -> api.JobList:
        """Order a job for each image; where one is refused, the others are followed all the same."""
        board = (literal(self.steps.setup.board),)
        orders: list[api.Flash] = []
        for image in self.steps.setup.images:
            sha256 = await send_image(client, self._data[image], image.partition, board)
            orders.append(api.Flash(partition=image.partition, sha256=sha256, boards=board))
        # At once, so that the board does not leave DFU mode between them.
        replies = await asyncio.gather(*map(client.call, orders), return_exceptions=True)
        taken = [reply for reply in replies if isinstance(reply, api.JobList)]
        failures = [reply for reply in replies if isinstance(reply, BaseException)]
        if failures and (not taken or not isinstance(failures[0], RemoteError)):
            raise failures[0]
        self.refused = next((each for each in failures if isinstance(each, RemoteError)), None)
        return api.JobList(
            jobs=tuple(job for reply in taken for job in reply.jobs),
            notes=tuple(note for reply in taken for note in reply.notes),
        )

    async def _connected(self) -> Client:
        """Return a connection; a daemon that was just started needs a moment, and another one a person."""
        patience = time.monotonic() + (START_SECONDS if self.installed else 0.0)
        told = False
        while True:
            try:
                return await self.where.connect(client="flashdeck-cli")
            except ConnectionFailedError as error:
                if error.kind is not ErrorKind.UNREACHABLE:
                    raise
                if time.monotonic() >= patience:
                    if not self.may_ask:
                        raise
                    if not told:
                        self.say(f"No daemon answers. {error.hint[:1].upper()}{error.hint[1:]}. Waiting for it.")
                        told = True
            await asyncio.sleep(LOOK_AGAIN)

    async def _reload(self, client: Client) -> None:
        """Let the daemon read the file; where a person has to include it, wait for that."""
        reply = await client.call(api.ReloadConfig())
        files = reply.configuration.files
        if not self._is_among(files):
            if not self.steps.include or not self.may_ask:
                raise self._unread(files)
            main = clean(str(self.steps.main), MAX_PATH)
            self.say(f"Put this line at the top of {main}, or its file into the include that is there. Waiting for it.")
            self.say(f"  {self.steps.include}")
        while not self._is_among(files):
            await asyncio.sleep(LOOK_AGAIN)
            configuration = (await client.call(api.GetStatus())).daemon.configuration
            files = () if configuration is None else configuration.files  # the daemon has read it by itself
        self._note("flashdeckd has read it")
        file = clean(str(self.steps.file), MAX_PATH)
        for each in reply.unconfirmed:
            if self._is_among((each.file,)):
                self.say(f"not confirmed: {'; '.join(each.lines)}. Look at it, then: flashdeck config trust {file}")

    def _is_among(self, files: tuple[str, ...]) -> bool:
        return os.path.realpath(self.steps.file) in map(os.path.realpath, files)

    def _unread(self, files: tuple[str, ...]) -> FlashdeckError:
        if self.steps.include:
            main = clean(str(self.steps.main), MAX_PATH)
            return FlashdeckError(
                f"{clean(str(self.steps.file), MAX_PATH)} counts once {main} includes it",
                hint=f"put this line at its top: {self.steps.include}",
                kind=ErrorKind.BLOCKED,
            )
        reads = ", ".join(clean(each, MAX_PATH) for each in files) or "no file"
        return FlashdeckError(
            f"flashdeckd does not read {clean(str(self.steps.file), MAX_PATH)}, it reads {reads}",
            hint=f"start it again with --config {clean(str(self.steps.file), MAX_PATH)}, or without --config",
            kind=ErrorKind.CONFIG_INVALID,
        )

    def _note(self, text: str) -> None:
        self.done.append(text)
        self.say(text)
