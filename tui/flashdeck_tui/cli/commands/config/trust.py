"""`flashdeck config trust`: a person confirms an included file."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.errors import RequestError
from flashdeck.paths import absolute
from flashdeck.text import clean
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import only_host


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@options.as_json
def command(*, file: Path, as_json: bool) -> None:
    """Confirm what an included FILE lets the daemon do, as the file is now.

    Commands and hooks, partitions that are not protected any more, and guards that are left out count from an included
    file only once they are confirmed; the rest of it counts at once. 'flashdeck status' shows what waits for this.
    """
    path = str(file) if only_host(click.get_current_context()) else str(absolute(file))
    if not path.startswith("/"):
        raise RequestError(f"{clean(path)} is a relative path", hint="name the file on that machine by its full path")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{clean(path)} is not UTF-8", hint="rename the file") from error
    reply = ask(api.TrustConfig(file=path))
    if as_json:
        put_json(reply)
        return
    put(f"confirmed: {clean(reply.file)}")
    put("\n".join(f"  {clean(line)}" for line in reply.lines) or "  nothing in it needed that")
