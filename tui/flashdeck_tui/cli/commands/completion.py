"""`flashdeck completion`: what a shell needs to complete the words of a command line."""

import click

from flashdeck_tui.cli.completion import SHELLS, script
from flashdeck_tui.cli.output import put


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, *, shell: str) -> None:
    """Print the script with which SHELL completes commands, options, boards, partitions and jobs.

    \b
    bash:  eval "$(flashdeck completion bash)"      in ~/.bashrc
    zsh:   eval "$(flashdeck completion zsh)"       in ~/.zshrc
    fish:  flashdeck completion fish | source       in ~/.config/fish/config.fish

    Names come from the running daemon; without one, commands, options and files are completed.
    """  # noqa: D301 - \b is click's mark for a paragraph that is not to be wrapped
    put(script(shell, context.find_root().command))
