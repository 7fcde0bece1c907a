"""The demo played by hand: the terminal interface on a bench that is slow enough to watch."""

from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.cli.output import say
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.demo.demo_bench import SLOWNESS, demo_bench
from flashdeck_tui.fleet import fleet_at
from flashdeck_tui.settings import load_settings


async def play() -> int:
    """Show it until somebody quits it, and return the exit code. Raises FlashdeckError, also for a wrong [tui]."""
    settings = load_settings()
    say(f"starting flashdeckd with three emulated boards, {SLOWNESS} times slower than real ones")
    async with demo_bench(slow=True) as own:
        app = FlashdeckApp(fleet_at(own.socket), DemoActions(own), settings=settings)
        await app.run_async(mouse=settings.mouse)
    return app.exit_code
