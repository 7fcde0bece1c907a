"""The daemon: hotplug, builds, lanes, journal and socket."""
