"""The words of one board on its ports: that of its application, and a UART, which stays over restarts. Pure.

Whoever has a port says its words anew with each start. The UART hears the bootloader, too; the port of an application
comes and goes with that.
"""

from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.nor import NorFlash
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.voice import PortOutput


class Speech:
    """The words of one board, and who speaks on which of its ports. Times are on any clock, the same for all."""

    def __init__(self, *, has_uart: bool) -> None:
        self.uart = PortOutput() if has_uart else None
        """None: the board has none."""
        self._port: PortOutput | None = None
        """Of the application that runs, or ran last; None where no application had a port."""

    def bootloader_starts(self, spec: BoardSpec, flash: NorFlash, now: float) -> None:
        """The bootloader begins to speak, on the UART."""
        self.end(now)
        if self.uart is not None:
            self.uart.start(spec.bootloader_voice(flash, now), now)

    def application_starts(self, spec: BoardSpec, flash: NorFlash, now: float) -> PortOutput | None:
        """The application begins to speak; return its port's output, None where it has no port."""
        self.end(now)
        if spec.serial_port is AppPort.NONE:
            self._port = None
        elif self._port is None or not spec.keeps_unread:
            self._port = PortOutput()
        else:
            self._port.set_dtr(now, is_raised=False)
        self._speak(spec, flash, now)
        return self._port

    def application_restarts(self, spec: BoardSpec, flash: NorFlash, now: float) -> None:
        """The application begins anew behind the ports that it has, unseen on the bus."""
        self.end(now)
        self._speak(spec, flash, now)

    def end(self, now: float) -> None:
        """Nothing of the board speaks any more."""
        for output in (self.uart, self._port):
            if output is not None:
                output.end(now)

    def lose_power(self, now: float) -> None:
        """Nothing speaks any more, and what the board itself kept is gone. A UART's bytes are beside the board."""
        self.end(now)
        self._port = None

    def say(self, data: bytes, now: float, *, on_port: bool) -> None:
        """Say something on the UART, and on the application's port where that is there."""
        for output in (self.uart, self._port if on_port else None):
            if output is not None:
                output.say(data, now)

    def _speak(self, spec: BoardSpec, flash: NorFlash, now: float) -> None:
        if self.uart is not None:
            self.uart.start(spec.voice(flash, now), now)
        if self._port is not None:
            self._port.start(spec.voice(flash, now, waits=spec.waits_for_dtr), now)
