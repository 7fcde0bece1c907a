"""`flashdeck config reload`: the daemon reads its configuration again."""

import click

from flashdeck import api
from flashdeck.text import clean
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import ReloadsOfHosts
from flashdeck_tui.cli.connect import each_answer
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.cli.remote import command_words, speaking_as


@click.command()
@options.as_json
def command(*, as_json: bool) -> None:
    """Let the daemon read its configuration again and take it over.

    It does so by itself, too, soon after a file has changed. A configuration with a mistake is refused whole: the old
    one stays, and this exits with 11. Jobs that run end under the configuration that they began with.
    """
    replies = each_answer(lambda client: client.call(api.ReloadConfig()))
    if as_json:
        put_json(replies[""] if "" in replies else ReloadsOfHosts(hosts=replies))
        return
    for host, reply in replies.items():
        with speaking_as(host):
            _tell(host, reply)


def _tell(host: str, reply: api.ConfigReloaded) -> None:
    if host:
        put(f"{host}:")
    put(f"read: {', '.join(map(clean, reply.configuration.files)) or 'no file, so no board'}")
    put("\n".join(map(clean, reply.changes)) or "nothing is different for the boards")
    for file in reply.unconfirmed:
        say(f"not confirmed, and does not count yet, in {clean(file.file)}:")
        for line in file.lines:
            say(f"  {clean(line)}")
        trust = command_words(click.get_current_context(), f"config trust {clean(file.file)}")
        say(f"  look at it, then: {trust}")
