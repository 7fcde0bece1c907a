"""The ends that a build can come to. In a module of its own, so that the model can ask for its words."""

from flashdeck.open_enum import OpenEnum


class Disposition(OpenEnum):
    """The end that a build came to at one of its targets."""

    QUEUED = "queued"
    OFFERED = "offered"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    OTHER = "other"
