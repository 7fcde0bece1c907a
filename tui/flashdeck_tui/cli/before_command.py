"""A command line that ends with another one: `flashdeck NAME … -- COMMAND`."""

from typing import Final

import click

from flashdeck.errors import RequestError

_KEY: Final = "flashdeck_tui.cli.before_command"


class BeforeCommand(click.Command):
    """A command that keeps what stands behind `--` for itself; `words` has it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before `--`."""
        own, words = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else (args, [])
        ctx.meta[_KEY] = tuple(words)
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND"]


def words(context: click.Context) -> tuple[str, ...]:
    """Return the words of the other command; raises RequestError where there are none."""
    found: tuple[str, ...] = context.meta[_KEY]
    if not found:
        raise RequestError("no command is named", hint=f"write it behind --: {context.command_path} BOARD -- COMMAND")
    return found
