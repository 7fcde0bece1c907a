# What flashdeckd uses of libusb-package; its own annotations are partial.
from usb.backend import IBackend

def get_libusb1_backend() -> IBackend | None: ...
