"""The parts of the screens. Widgets only read; they change nothing but themselves."""
