from labgrid.target import Target

class Resource:
    target: Target
    name: str | None
    avail: bool
    def __init__(self, target: Target | None, name: str | None) -> None: ...

class NetworkResource(Resource):
    host: str
