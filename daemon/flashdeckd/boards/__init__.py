"""The boards of one daemon: which device is which board, who is here, and how a device becomes a board."""
