"""The way to a USB device: hotplug, which board it is, transport, identity."""
