"""Slots: ports that take one unit after the other, and what each of them gets."""
