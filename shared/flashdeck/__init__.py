"""The part that daemon, CLI and TUI share: words, wire, configuration. Knows neither of the other two packages."""

__version__ = "0.1.0"
