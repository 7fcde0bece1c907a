# A daemon, and a build of app1 that is on both boards.
daemon
firmware fw/app1/Debug/APP1.bin app1 1.0.0
flashdeck wait app1
