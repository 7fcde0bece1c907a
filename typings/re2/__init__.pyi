"""The parts of google-re2 that are used here; it has no types of its own."""

from collections.abc import Mapping

class error(Exception): ...

class Options:
    log_errors: bool
    max_mem: int

class _Match:
    def group(self, *groups: int | str) -> str | None: ...

class Regexp:
    @property
    def groupindex(self) -> Mapping[str, int]: ...
    def search(self, text: str) -> _Match | None: ...

def compile(pattern: str, options: Options | None = None) -> Regexp: ...
