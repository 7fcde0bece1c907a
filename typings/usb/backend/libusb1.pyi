from collections.abc import Callable

from usb.backend import IBackend

def get_backend(find_library: Callable[[str], str | None] | None = None) -> IBackend | None: ...
