"""`flashdeck config reload`: the daemon reads its configuration again."""

import click

from flashdeck import api
from flashdeck.text import clean
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json, say


@click.command()
@options.as_json
def command(*, as_json: bool) -> None:
    """Let the daemon read its configuration again and take it over.

    It does so by itself, too, soon after a file has changed. A configuration with a mistake is refused whole: the old
    one stays, and this exits with 11. Jobs that run end under the configuration that they began with.
    """
    reply = ask(api.ReloadConfig())
    if as_json:
        put_json(reply)
        return
    put(f"read: {', '.join(map(clean, reply.configuration.files)) or 'no file, so no board'}")
    put("\n".join(map(clean, reply.changes)) or "nothing is different for the boards")
    for file in reply.unconfirmed:
        say(f"not confirmed, and does not count yet, in {clean(file.file)}:")
        for line in file.lines:
            say(f"  {clean(line)}")
        say(f"  look at it, then: flashdeck config trust {clean(file.file)}")
