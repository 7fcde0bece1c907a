"""The machine that the daemon runs on: time, randomness, threads, processes, commands and files.

Nothing else in the daemon asks the operating system for any of these. Each module has functions for its callers, and
behind them a variable `system`: the operating system itself. A simulation sets `system` to its own before the first
board, thread or file is there, best in a process of its own: `clock.system = virtual_time`. The functions look at
`system` at each call, so that one that somebody has kept (`sleep=clock.sleep`) follows, too.
"""
