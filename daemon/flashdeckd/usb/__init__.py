"""The way to a USB device: hotplug, transport, identity."""
