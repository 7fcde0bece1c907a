"""Lines of the log that say who asked for what, where several people use one bench. Pure."""

from typing import Any, Final

from flashdeck import api
from flashdeck.text import clean

LONGEST_DEED: Final = 200
"""Characters kept of what was asked for: it may name very many boards."""
_UNTOLD: Final = frozenset[type[api.Params[Any]]](
    (
        *(api.BeginUpload, api.UploadChunk, api.CommitUpload, api.PlaceUpload),  # what is done with it is told
        *(api.Plan, api.PlanErase, api.PlanRollback, api.Examine),
    )
)
"""Methods that a read-only connection may not call, and that leave nothing behind."""


def deed_text(user: str, params: api.Params[Any]) -> str:
    """Return who asked for what; "" for what changes nothing."""
    kind = type(params)
    if kind in _UNTOLD or not api.changes(kind):
        return ""
    named = [
        str(getattr(params, "partition", "") or getattr(params, "file", "")),
        " ".join(getattr(params, "boards", ())) or str(getattr(params, "board", "")),
        f"job {params.job}" if isinstance(params, api.Cancel | api.Retry | api.MoveJob) else "",
        "by force" if getattr(params, "force", False) else "",
    ]
    what = clean(" ".join(part for part in (api.NAMES[kind], *named) if part), LONGEST_DEED)
    return f"{user} asked: {what}"
