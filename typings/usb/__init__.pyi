# The part of pyusb 1.3 that this project uses; pyusb ships no types of its own.
