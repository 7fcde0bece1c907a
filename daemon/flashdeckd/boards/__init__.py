"""The boards of one daemon: who is here, what each is, and how a device becomes a board."""
