"""The person for whom the daemon acts at this moment, where several people use one bench."""

from contextvars import ContextVar

on_behalf_of: ContextVar[str] = ContextVar("on_behalf_of", default="")
"""The name of whoever asks for what is done now; "" where that is flashdeck itself, and where only one person ever is.
A request has its own context, and so has what is begun in it."""
