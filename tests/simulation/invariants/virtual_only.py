"""Rule 10: `--virtual` never touches real hardware."""

from simulation.invariants.rule import Rule


class VirtualOnly(Rule):
    """A daemon of emulated boards opens neither libusb nor udev."""

    name = "10"
    sentence = (
        "--virtual never touches real hardware: it opens neither libusb nor udev, and the demo has its own socket."
    )

    def touched_real(self, what: str) -> None:
        """Judge it."""
        raise self.broken(f"a daemon of emulated boards has touched {what}")
