"""USB DFU 1.1 and DfuSe: bytes in, values out, and the session that drives one device."""
