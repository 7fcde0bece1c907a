"""The numbers while they are wanted: what is counted, and where it is answered. Loaded once [metrics] wants it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.loopback import ListenAt, LoopbackPort, SocketFile
from flashdeck.model import Event
from flashdeck.text import clean
from flashdeckd.host import sockets, threads
from flashdeckd.metrics.hub_collector import HubCollector
from flashdeckd.metrics.job_tally import JobTally
from flashdeckd.metrics.metrics_door import PATH, MetricsDoor
from flashdeckd.metrics.metrics_server import MetricsServer
from flashdeckd.metrics.metrics_token import TOKEN_NAME, kept_token
from flashdeckd.server.endpoint import Listener, claimed
from flashdeckd.state.hub import Hub


class ServedMetrics:
    """Counts from the moment on in which it is made, wherever it is answered meanwhile."""

    def __init__(self, hub: Hub, state_dir: Path) -> None:
        self._hub = hub
        self._state_dir = state_dir
        self._tally = JobTally(hub.jobs.values())
        self._collector = HubCollector(hub, self._tally)

    def hear(self, event: Event) -> None:
        """Count what happens to jobs."""
        if event.job is not None:
            board = self._hub.boards.get(event.job.board)
            self._tally.hear(event.job, board.profile if board is not None else "")

    @contextmanager
    def listening(self, at: ListenAt, token: str) -> Generator[tuple[MetricsServer, Callable[[], bool]]]:
        """Listen for the length of a block; what tells if whoever asks still finds us there blocks on the disk.

        Raises FlashdeckError where the place cannot be had.
        """
        door = MetricsDoor(at, token) if isinstance(at, LoopbackPort) else MetricsDoor()
        with _listener(at) as (listener, is_there):
            yield MetricsServer(listener, door, self._collector.page), is_there

    async def token(self, at: ListenAt) -> str:
        """Return the token that a place wants; "" for none. Raises FlashdeckError where it is not ours alone."""
        return await threads.run(kept_token, self._state_dir) if isinstance(at, LoopbackPort) else ""

    def told(self, at: ListenAt) -> str:
        """Return in a sentence where the numbers are."""
        if isinstance(at, LoopbackPort):
            token = clean(str(self._state_dir / TOKEN_NAME))
            return f"http://{at.authority}{PATH.decode()}, for whoever has the token in {token}"
        return f"{PATH.decode()} at the socket {clean(str(at))}, for your own user alone"


@contextmanager
def _listener(at: ListenAt) -> Generator[tuple[Listener, Callable[[], bool]]]:
    if not isinstance(at, LoopbackPort):
        assert isinstance(at, SocketFile)  # noqa: S101 - there is no third kind
        with claimed(at.path) as endpoint, endpoint.listening() as listener:
            yield listener, lambda: endpoint.is_there
        return
    try:
        listener = sockets.loopback_listener(at.address, at.port)
    except OSError as error:
        raise FlashdeckError(
            f"cannot listen on {at}: {error.strerror}",
            hint="name another port in [metrics] listen, or end the program that has it (ss -ltnp)",
            kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
        ) from error
    with listener:
        yield listener, lambda: True  # nobody can remove a port
