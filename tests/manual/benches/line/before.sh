# A daemon whose slots are empty, and a build for them.
daemon
firmware fw/app1/Debug/APP1.bin app1 1.0.0
