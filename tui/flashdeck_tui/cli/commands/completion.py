"""`flashdeck completion`: what a shell needs to complete the words of a command line."""

import click

from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import CompletionScript
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.tab_key.shells import NAMES, SHELLS


@click.command()
@click.argument("shell", type=click.Choice(NAMES))
@options.as_json
def command(*, shell: str, as_json: bool) -> None:
    """Print the script with which SHELL completes commands, options, boards, partitions and jobs.

    \b
    bash:  eval "$(flashdeck completion bash)"      in ~/.bashrc
    zsh:   eval "$(flashdeck completion zsh)"       in ~/.zshrc
    fish:  flashdeck completion fish >~/.config/fish/completions/flashdeck.fish

    Names come from the running daemon; without one, commands, options and files are completed.
    """  # noqa: D301 - \b is click's mark for a paragraph that is not to be wrapped
    text = SHELLS[shell].script
    if as_json:
        put_json(CompletionScript(shell=shell, script=text))
    else:
        put(text)
