"""The command line and the TUI: clients of the daemon."""
