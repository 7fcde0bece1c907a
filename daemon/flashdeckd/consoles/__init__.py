"""The consoles: what boards say on their serial ports: recorded all the time, and followed by whoever asks."""
