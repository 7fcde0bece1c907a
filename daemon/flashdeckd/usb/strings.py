"""String descriptors as devices send them (USB 2.0, 9.6.7). Pure: bytes in, text out."""

MAX_STRING = 254
"""Bytes to ask for: the largest even length. The kernel's own limit is 255."""
_HEADER = 2
_DESCRIPTOR = 3


def decode_string(raw: bytes) -> str:
    """The text of a string descriptor, as far as it goes; "" where there is none.

    A bLength that promises more than came is not believed (the ROM of the STM32F427 sends such ones), half a character
    at the end is dropped, and what is no UTF-16 becomes U+FFFD. Printable ASCII without a zero byte was sent as it is
    instead of as UTF-16 (GigaDevice's ROM does that).
    """
    if len(raw) < _HEADER or raw[1] != _DESCRIPTOR:
        return ""
    body = raw[_HEADER : max(_HEADER, raw[0])]
    plain = body.rstrip(b"\0")
    if plain.isascii() and plain.decode("ascii").isprintable() and 0 not in plain and len(plain) > 1:
        return plain.decode("ascii")
    return body[: len(body) & ~1].decode("utf-16-le", errors="replace")
