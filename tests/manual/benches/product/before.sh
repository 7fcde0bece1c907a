# A daemon, and a build of app1 that is on every board.
daemon
firmware fw/app1/Debug/APP1.bin app1 1.0.0
cp fw/app1/Debug/APP1.bin APP1.bin
flashdeck wait app1
