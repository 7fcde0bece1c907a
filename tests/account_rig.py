"""An account on a machine without systemd, for tests of what `flashdeck install` and `init` would do there."""

from pathlib import Path

from flashdeck_tui.installer.this_machine import ThisMachine


def account_in(home: Path, *, shells: frozenset[str] = frozenset()) -> ThisMachine:
    """Return an account whose files are all below `home`, and which may do all that root may."""
    return ThisMachine(
        account="ann",
        home=home,
        uid=1000,
        is_root=True,
        groups=frozenset({"plugdev"}),
        known_groups=frozenset({"plugdev"}),
        program=("/usr/bin/flashdeckd",),
        booted=False,
        has_user_manager=False,
        lingers=True,
        shells=shells,
        config_home=home / ".config",
        data_home=home / ".local" / "share",
    )
