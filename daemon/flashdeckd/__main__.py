"""`flashdeckd`: reads its options and runs the daemon."""

import asyncio
import logging
import sys
from pathlib import Path

import click

from flashdeck import __version__, paths
from flashdeck.errors import FlashdeckError

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=EXISTING_FILE, help="Configuration file.")
@click.option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen on.")
@click.option("--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Journal and spooled images.")
@click.option(
    "--virtual", type=EXISTING_FILE, metavar="FILE", help="Run a bench of emulated boards, and no real hardware at all."
)
@click.version_option(__version__)
def main(config: Path | None, socket: Path | None, state_dir: Path | None, virtual: Path | None) -> None:
    """Watches USB and build directories, and flashes fresh images into their partitions by itself."""
    logging.basicConfig(level=logging.INFO, format="%(levelname).1s %(message)s", stream=sys.stderr)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts every change it sees
    try:
        from flashdeckd.service import Options, serve  # noqa: PLC0415 -- only here can a missing extra be explained
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("flashdeck"):
            raise  # one of our own: the installation is broken, no extra would mend it
        click.echo(f"error: {error.name} is not installed\nhint: pip install 'flashdeck[daemon]'", err=True)
        sys.exit(1)
    is_virtual = virtual is not None
    try:
        options = Options(
            socket=paths.socket_path(None if socket is None else str(socket), virtual=is_virtual),
            state_dir=state_dir or paths.state_dir(virtual=is_virtual),
            config=config,
            virtual=virtual,
        )
        asyncio.run(serve(options))
    except FlashdeckError as error:
        click.echo(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
