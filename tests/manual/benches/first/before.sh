# Two projects were built, and the daemon of the bench runs.
firmware fw/app2/Debug/APP2.bin partition2 1.0.0
firmware fw/app1/Debug/APP1.bin app1 1.0.0
daemon
