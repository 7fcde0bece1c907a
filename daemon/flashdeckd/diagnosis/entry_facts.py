"""The parts of this machine that the way into DFU mode needs, for a board that is running. Blocks; opens nothing."""

from flashdeck.config import Enter, EnterCommand, Profile
from flashdeckd.diagnosis.observation import EntryFacts
from flashdeckd.host import commands, files, open_files
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPorts


def look(profile: Profile, device: UsbDevice, ports: SerialPorts) -> EntryFacts:
    """Return what was found of the way that the profile names."""
    if isinstance(profile.enter, EnterCommand):
        return EntryFacts(program=commands.find(profile.enter.command[0]))
    if profile.enter is not Enter.TOUCH:
        return EntryFacts()
    found = ports.of(device)
    if not found:
        return EntryFacts()
    node = found[0].node
    return EntryFacts(
        ports=found,
        is_hidden=not files.exists(node),
        is_closed=not files.is_open_to_us(node),
        holders=open_files.holders(node),
    )
