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
    return EntryFacts(
        ports=found,
        is_closed=bool(found) and not files.is_open_to_us(found[0].node),
        holders=open_files.holders(found[0].node) if found else (),
    )
