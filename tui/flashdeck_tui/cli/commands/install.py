"""`flashdeck install`: what this machine needs so that the daemon runs by itself and may use the boards."""

import click

from flashdeck.config_file import default_config
from flashdeck.errors import ExitCode
from flashdeck.extras import Extra, require
from flashdeck_tui.cli import options
from flashdeck_tui.cli.installing import carried_out
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.this_machine import look, text_of
from flashdeck_tui.tab_key.shells import SHELLS


@click.command()
@click.option("--system", is_flag=True, help="A system service for one account, which runs before anybody logs in.")
@click.option(
    "--user", "account", default="", metavar="NAME", help="With --system: that account. Default: who called sudo."
)
@click.option(
    "--socket", "with_socket", is_flag=True, help="The daemon starts with its first client, not with the login."
)
@click.option("--dry-run", is_flag=True, help="Print the files and commands, and do nothing.")
@options.as_json
def command(*, system: bool, account: str, with_socket: bool, dry_run: bool, as_json: bool) -> ExitCode:
    """Set up udev rules, a systemd service, completion and man pages, as far as they are missing.

    The service is one of your own that outlives your logins, unless --system is given. Rules and groups need root: they
    are set up through sudo. A file that was changed by hand is left alone.
    """
    if account and not system:
        raise click.UsageError("--user goes with --system: your own service is installed by yourself")
    if with_socket and system:
        raise click.UsageError("--socket is for a service of your own, without --system")
    require(Extra.DAEMON, "the service")
    machine = look(account, system=system)
    lines = needed_steps.install(
        machine,
        default_config(),
        text_of,
        lambda shell: SHELLS[shell].script,
        system=system,
        with_socket=with_socket,
    )
    return carried_out(lines, machine, dry_run=dry_run, as_json=as_json)
