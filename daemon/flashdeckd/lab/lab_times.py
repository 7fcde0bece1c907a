"""The times of the way to a coordinator, importable where labgrid is not installed."""

from typing import Final

CONNECT_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries to reach a coordinator; the last repeats. A session that lasted begins with the first again."""
IN_STEP_SECONDS: Final = 2.0
"""Seconds in which the stream of places has to catch up before a board is acquired."""
ANSWER_SECONDS: Final = 6.0
"""Seconds in which the daemon says whether a place gets a board: the coordinator waits 10, and for nobody else then."""
CHANNEL_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 7500),
    ("grpc.keepalive_timeout_ms", 10000),
    ("grpc.http2.ping_timeout_ms", 10000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
"""As labgrid's own exporter has them; the last two are ours, so that a coordinator that is back is found soon."""
