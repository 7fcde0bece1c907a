"""What the screens are made of. Widgets only read; they change nothing but themselves."""
