"""Control transfers to one opened device, with pyusb's errors turned into ours. Belongs to the one thread that opened it."""
