"""A look at one open device in DFU mode: states, descriptors, maps and a few bounded reads. Nothing is written.

Reads stay inside the partitions that are not protected, and where the device's map says readable: some bootloaders die
of a read beyond their flash (ST's sample for the H563 takes a bus fault), and of such a one a doctor has nothing to
learn that would be worth it.
"""

from contextlib import suppress

from flashdeck.config import Profile
from flashdeck.errors import DescriptorError, DeviceError, StallError
from flashdeck.geometry import Range
from flashdeck.memory_map import Access, MemoryMap, parse_memory_map
from flashdeck.text import clean
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.descriptor import VERSION_DFUSE, FunctionalDescriptor, parse_functional
from flashdeckd.dfu.facts import MAX_ALTERNATES
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.quirks import Quirk
from flashdeckd.dfu.recovery import Sleep, to_idle
from flashdeckd.dfu.wire import DfuState
from flashdeckd.diagnosis.harmless import HarmlessPipe
from flashdeckd.diagnosis.observation import Alternate, Observation, ReadOutcome, TestRead
from flashdeckd.diagnosis.samples import Sample, sample_of
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.jobs.bootloader_book import MAX_READS_LOST

MAX_PARTITIONS = 8
"""Partitions that are read, two blocks each."""
MAX_NAMES = 1000
"""Characters kept of all names together."""
LONGEST_NAP = 2.0
"""Seconds: what is obeyed of a claimed time here, where nothing is erased. Devices may claim hours."""


def observe(pipe: ControlPipe, profile: Profile, history: BootloaderHistory, sleep: Sleep) -> Observation:
    """Looks at a device in DFU mode, and leaves it in dfuIDLE.

    Raises DeviceError only where the device does not even answer GETSTATE, recover or answer a request for a string;
    what fails later is part of what was seen.
    """
    return _Look(pipe, profile, history, sleep).run()


class _Look:
    def __init__(self, pipe: ControlPipe, profile: Profile, history: BootloaderHistory, sleep: Sleep) -> None:
        self._samples = [sample_of(profile, each) for each in profile.partitions.values() if not each.protected]
        self._pipe = HarmlessPipe(pipe, tuple(span for each in self._samples for span in each.addresses))
        self._history = history
        self._sleep: Sleep = lambda seconds: sleep(min(seconds, LONGEST_NAP))
        self._functional: FunctionalDescriptor = parse_functional(pipe.functional)
        self._reads: list[TestRead] = []
        self._unread: list[tuple[str, str]] = []

    def run(self) -> Observation:
        before = self._pipe.transfers
        state, status = self._first()
        to_idle(self._pipe, self._sleep)
        alternates, names = self._alternates()
        trouble = ""
        try:
            self._read_all(alternates)
            to_idle(self._pipe, self._sleep)
        except DeviceError as error:
            trouble = error.advice
        return Observation(
            raw_functional=self._pipe.functional,
            functional=self._functional,
            first_state=state,
            first_status=status,
            alternates=alternates,
            claims=tuple(self._pipe.claims),
            reads=tuple(self._reads),
            unread=tuple(self._unread),
            names=names,
            trouble=trouble,
            quirk=_applied(self._pipe.quirk, alternates),
            requests=self._pipe.transfers - before,
        )

    def _first(self) -> tuple[int | None, class_requests.StatusReport | None]:
        """GETSTATE first: GETSTATUS would run what a host that crashed left pending. In dfuERROR nothing is."""
        try:
            state = class_requests.get_state(self._pipe)
        except StallError:
            return None, None
        if state == DfuState.ERROR:
            with suppress(StallError):
                return state, class_requests.get_status(self._pipe)
        return state, None

    def _alternates(self) -> tuple[tuple[Alternate, ...], str]:
        """All alternate settings, and their names joined as `identify` does it."""
        texts: dict[int, str] = {}
        for each in self._pipe.alternates[:MAX_ALTERNATES]:
            if each.text_index and each.text_index not in texts:
                texts[each.text_index] = self._pipe.text(each.text_index)
        settings = self._pipe.alternates[:MAX_ALTERNATES]
        named = tuple(_alternate(each, texts.get(each.text_index, ""), self._pipe.quirk) for each in settings)
        return named, clean(" ".join(filter(None, texts.values())), MAX_NAMES)

    def _read_all(self, alternates: tuple[Alternate, ...]) -> None:
        for sample in self._samples:
            reason = self._obstacle(sample, alternates)
            if reason:
                self._unread.append((sample.name, reason))
                continue
            for read in sample.reads(self._pipe, self._functional, self._sleep):
                self._reads.append(read)  # one by one: what was read before an error is kept

    def _obstacle(self, sample: Sample, alternates: tuple[Alternate, ...]) -> str:
        maps = [each.memory_map for each in alternates if each.memory_map is not None]
        is_dfuse = self._functional.version == VERSION_DFUSE or (self._functional.version is None and maps)
        if mismatch := sample.mismatch(is_dfuse=bool(is_dfuse)):
            return mismatch
        if self._reads and (not self._functional.can_upload or self._reads[-1].outcome is not ReadOutcome.DATA):
            return "one read was enough to know"
        if not self._history.reading_proved and self._history.reads_lost >= MAX_READS_LOST:
            return f"the board was lost in {self._history.reads_lost} reads already"
        if len(self._reads) >= 2 * MAX_PARTITIONS:
            return f"reads in {MAX_PARTITIONS} partitions are enough"
        return _unreadable(sample.span, maps)


def _alternate(setting: AlternateSetting, text: str, quirk: Quirk) -> Alternate:
    memory_map: MemoryMap | None = None
    trouble = "" if text else "it has no name that can be read"
    if text:
        try:
            memory_map = quirk.mend_map(parse_memory_map(text))
        except DescriptorError as error:
            trouble = error.message
    return Alternate(setting.number, setting.protocol, clean(text), memory_map, trouble)


def _applied(quirk: Quirk, alternates: tuple[Alternate, ...]) -> str:
    """Return why something that this device says is not believed; a quirk may be known of only some with these ids."""
    maps = {each.memory_map.name for each in alternates if each.memory_map is not None}
    matters = quirk.version is not None or quirk.poll_ms is not None or quirk.wrong_map or quirk.unerasable & maps
    return quirk.reason if matters else ""


def _unreadable(span: Range, maps: list[MemoryMap]) -> str:
    found = next((each for each in maps if any(each.overlapping(span))), None)
    if maps and found is None:
        return "the device's memory map does not reach it"
    if found is not None and not found.permits(span, Access.READ):
        return "the device's memory map does not let it be read"
    return ""
