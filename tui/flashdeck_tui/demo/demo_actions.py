"""The hands of whoever plays with the demo's bench, as actions of the terminal interface."""

import asyncio

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.model import Presence
from flashdeck.names import literal
from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.demo.demo_bench import SLOWNESS, DemoBench
from flashdeck_tui.demo.firmware import link_slowly
from flashdeck_tui.demo.loop import PARTITION, PAUSES
from flashdeck_tui.key_names import KeyNames


class DemoActions:
    """Builds the demo's firmware, and plugs, unplugs and presses its boards."""

    def __init__(self, bench: DemoBench) -> None:
        self._firmware = bench.firmware
        self._pause = PAUSES * next(iter(bench.config.boards.values())).profile.partitions[PARTITION].settle
        self._building = asyncio.Lock()

    def headline(self, keys: KeyNames) -> str:
        """The build as a shell command for another terminal; it works as long as the demo runs."""
        how = f"{keys['demo-build']} builds, or edit version.h and run this (boards {SLOWNESS}x slower than real ones):"
        return f"{how}\n{self._firmware.shell_command}"

    def actions(self) -> tuple[Action, ...]:
        """The actions, in the order of the key bar."""
        return (
            Action(
                id="demo-build",
                key="B",
                title="Build",
                description=f"Count the version in {self._firmware.source.name} up and build app1, as an editor would.",
                run=self._build,
                check=self._build_why_not,
            ),
            Action(
                id="demo-unplug",
                key="U",
                title="Unplug",
                description="Pull the board's cable: power is lost at once, also in the middle of a flash.",
                needs=Needs.BOARD,
                run=_unplug,
                check=_absent,
            ),
            Action(
                id="demo-plug",
                key="P",
                title="Plug",
                description="Plug the board in; it starts its application if that passes the boot check.",
                needs=Needs.BOARD,
                run=_plug,
                check=_present,
            ),
            Action(
                id="demo-press",
                key="S",
                title="Press",
                description="Press the board's buttons: it restarts into its bootloader.",
                needs=Needs.BOARD,
                run=_press,
                check=_absent,
            ),
        )

    async def _build(self, context: Context) -> None:
        async with self._building:
            self._firmware.change_version()
            context.tell(f"Building {self._firmware.version}.")
            try:
                build = await self._firmware.build()
            except FlashdeckError as error:
                # What the compiler said, where there is no terminal below the screen to say it on.
                raise FlashdeckError(error.message, hint=_complaint(error), kind=error.kind) from error
            await link_slowly(build.image, self._firmware.output, self._pause)

    def _build_why_not(self, _context: Context) -> str | None:
        return "A build is being written." if self._building.locked() else None


def _complaint(error: FlashdeckError) -> str:
    """Return the compiler's first complaint; if something else failed, all that was said."""
    said = "\n".join(error.remarks)
    return next((line for line in said.splitlines() if ": error: " in line), said or error.hint)


async def _unplug(context: Context) -> None:
    await context.call(api.VirtualUnplug(boards=(literal(context.selection.board),)))


async def _plug(context: Context) -> None:
    await context.call(api.VirtualPlug(boards=(literal(context.selection.board),)))


async def _press(context: Context) -> None:
    await context.call(api.VirtualPress(boards=(literal(context.selection.board),)))


def _absent(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    return f"{board.name} is not plugged in." if board.presence is Presence.ABSENT else None


def _present(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    return None if board.presence is Presence.ABSENT else f"{board.name} is plugged in."
