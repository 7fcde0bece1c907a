"""What a virtual machine lacks is said with the command to get it, and is a failure where the machine is required."""

import lzma
import signal
from pathlib import Path

import pytest

from vm import __main__ as vm_test
from vm import machine
from vm.kernel import MissingError, vmlinux


@pytest.mark.parametrize(("required", "code", "word"), [("", 0, "skipped"), ("1", 1, "failed")])
def test_a_missing_program_skips_the_suite_or_fails_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: str, code: int, word: str
) -> None:
    monkeypatch.setattr(machine, "_PROGRAMS", ("sh", "no-such-program"))
    monkeypatch.setattr(vm_test, "stop", signal.getsignal(signal.SIGTERM))  # that of pytest stays
    monkeypatch.setenv("FLASHDECK_REQUIRE_VM", required)
    assert vm_test.main() == code
    said = capsys.readouterr().err
    assert said.startswith(f"{word}: there is no no-such-program; to get it: apt-get install ")


def test_a_checkout_that_qemu_can_not_be_told_of_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROOT", Path("/home/me/my projects/flashdeck"))
    with pytest.raises(MissingError, match="without blanks and commas"):
        machine.check_host()


def test_a_kernel_is_taken_out_of_its_image() -> None:
    elf = b"\x7fELF and all the rest"
    image = b"setup code" + lzma.compress(b"not this one") + b"\xfd7zXZ\0 nor this" + lzma.compress(elf) + b"signature"
    assert vmlinux(image) == elf
    with pytest.raises(MissingError, match="no ELF file"):
        vmlinux(b"nothing of the kind")
