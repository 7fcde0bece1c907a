"""The demo played by hand: the terminal interface on a bench that is slow enough to watch."""

from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.cli.output import say
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.demo.demo_bench import SLOWNESS, demo_bench


class DemoApp(FlashdeckApp):
    """The terminal interface of a demo, which ends with it."""

    def action_help_quit(self) -> None:
        """Ctrl-C: nothing goes on behind a demo that anybody would have to be warned of."""
        self.exit(0)


async def play() -> int:
    """Show it until somebody quits it, and return the exit code."""
    say(f"starting flashdeckd with three emulated boards, {SLOWNESS} times slower than real ones")
    async with demo_bench(slow=True) as own:
        app = DemoApp(own.socket, DemoActions(own))
        await app.run_async()
    return app.exit_code
