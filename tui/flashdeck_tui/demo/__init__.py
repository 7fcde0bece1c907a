"""The demo: the whole loop, from a build to three boards, on an emulated bench of its own."""

from flashdeck_tui.demo.command import run

__all__ = ["run"]
