"""A client of flashdeckd's protocol 2, as somebody else would write it: only the standard library and `schema.json`.

python3 client.py SOCKET BOARD PARTITION IMAGE

Puts the board on hold, sends the image, asks for its flash, sees that it waits for a person, releases the board, follows
the job to its end, and prints what it saw as one JSON object. Ends with 1, and says why, where anything is not as the
protocol promises. Of a job it believes `text`, `is_settled` and `needs_person`, and nothing else: states may be added.
"""

import base64
import json
import socket
import sys

CHUNK = 100_000


class Refused(Exception):
    """The daemon answered with an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.kind = error["data"]["kind"]
        self.hint = error["data"]["hint"]


class Daemon:
    """One connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.number = 0
        self.seq = 0
        self.jobs = {}
        self.boards = {}

    def call(self, method, **params):
        """Return the result of a call; events that come before it are taken."""
        self.number += 1
        call = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        self.socket.sendall(json.dumps(call).encode() + b"\n")
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                if "error" in message:
                    raise Refused(message["error"])
                return message["result"]

    def receive(self):
        """Return the next message; an event is taken first."""
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the daemon closed the connection")
        message = json.loads(line)
        if message.get("method") == "event":
            self.take(message["params"])
        return message

    def take(self, event):
        """Take an event: the whole new state of one thing, numbered one above the event before."""
        assert event["seq"] == self.seq + 1, f"event {event['seq']} after {self.seq}"
        self.seq = event["seq"]
        if "job" in event:
            self.jobs[event["job"]["id"]] = event["job"]
        if "board" in event:
            self.boards[event["board"]["name"]] = event["board"]

    def subscribe(self):
        """Begin to follow everything."""
        snapshot = self.call("subscribe")
        self.seq = snapshot["seq"]
        self.boards = {board["name"]: board for board in snapshot.get("boards", [])}
        self.jobs = {job["id"]: job for job in snapshot.get("jobs", [])}
        return snapshot

    def follow(self, number, until):
        """Return the texts of a job, one a change, up to the first state of which `until` is true."""
        texts = []
        while True:
            job = self.jobs.get(number)
            if job is not None:
                if texts[-1:] != [job["text"]]:
                    texts.append(job["text"])
                if until(job):
                    return texts
            self.receive()


def upload(daemon, name, data, partition, boards):
    """Return the SHA-256 of the image that the daemon made of a file."""
    handle = daemon.call("upload.begin", name=name, size=len(data), partition=partition, boards=boards)["upload"]
    for start in range(0, len(data), CHUNK):
        piece = base64.b64encode(data[start : start + CHUNK]).decode()
        daemon.call("upload.chunk", upload=handle, data=piece)
    return daemon.call("upload.commit", upload=handle)["sha256"]


def main(path, board, partition, image):
    """Do what the module's first lines say."""
    with open(image, "rb") as file:
        data = file.read()
    daemon = Daemon(path)
    welcome = daemon.call("hello", protocol=2, lowest=2, client="a client of protocol 2", release="somebody's 1.0")
    assert welcome["protocol"] == 2, welcome
    assert welcome["lowest"] <= 2 <= welcome["highest"], welcome
    snapshot = daemon.subscribe()
    assert snapshot["daemon"]["version"] == welcome["daemon"], welcome

    (held,) = daemon.call("hold", boards=[board], reason="somebody's client tries it")["boards"]
    assert held["hold"]["reason"] == "somebody's client tries it", held
    sha256 = upload(daemon, "somebody's.bin", data, partition, [board])
    plan = daemon.call("plan", partition=partition, sha256=sha256, boards=[board])["plans"][0]
    assert plan["board"] == board and plan["sha256"] == sha256, plan
    (job,) = daemon.call("flash", partition=partition, sha256=sha256, boards=[board])["jobs"]
    assert job["sha256"] == sha256, job
    before = daemon.follow(job["id"], lambda job: job["is_settled"] or job["needs_person"])
    assert not daemon.jobs[job["id"]]["is_settled"], before

    (released,) = daemon.call("release", boards=[board])["boards"]
    assert released.get("hold") is None, released
    after = daemon.follow(job["id"], lambda job: job["is_settled"])
    outcome = daemon.call("wait", partition=partition, sha256=sha256, boards=[board], timeout=30)["boards"][0]
    (listed,) = daemon.call("jobs", ids=[job["id"]])["jobs"]
    page = daemon.call("logs", limit=500)
    try:
        daemon.call("cancel", job=4711)
    except Refused as error:
        refusal = {"kind": error.kind, "code": error.code, "message": str(error)}
    try:
        daemon.call("a.method.of.nobody")
    except Refused as error:
        assert error.code == -32601, error.code
    seen = {
        "daemon": welcome["daemon"],
        "board": daemon.boards[board]["text"],
        "sha256": sha256,
        "before": before,
        "after": after,
        "listed": listed["text"],
        "is_there": outcome["is_there"],
        "lines": len(page["lines"]),
        "refusal": refusal,
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
