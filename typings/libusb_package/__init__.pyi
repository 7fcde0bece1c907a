# What flashdeckd uses of libusb-package; its own annotations are partial.
from pathlib import Path

def get_library_path() -> Path | None: ...
