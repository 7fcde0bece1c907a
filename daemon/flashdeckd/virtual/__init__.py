"""Emulated boards below pyusb's backend seam, and the hands on their bench."""
