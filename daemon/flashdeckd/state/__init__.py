"""The state of the daemon: its latest values on their way out, and what outlives it."""
