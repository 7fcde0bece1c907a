"""`flashdeck uninstall`: takes away what `flashdeck install` has set up."""

import click

from flashdeck.errors import ExitCode
from flashdeck_tui.cli import options
from flashdeck_tui.cli.installing import carried_out
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.this_machine import look, text_of


@click.command()
@click.option("--system", is_flag=True, help="The system service of one account.")
@click.option(
    "--user", "account", default="", metavar="NAME", help="With --system: that account. Default: who called sudo."
)
@click.option("--dry-run", is_flag=True, help="Print the files and commands, and do nothing.")
@options.as_json
def command(*, system: bool, account: str, dry_run: bool, as_json: bool) -> ExitCode:
    """Stop the service, and remove the files that 'flashdeck install' wrote: units, udev rules, completion, man pages.

    A file that was changed by hand stays. So do your configuration, the daemon's state and memberships of groups.
    """
    if account and not system:
        raise click.UsageError("--user goes with --system: your own service is removed by yourself")
    machine = look(account, system=system)
    lines = needed_steps.uninstall(machine, text_of, system=system)
    return carried_out(lines, machine, dry_run=dry_run, as_json=as_json)
