"""The configuration in words: what was refused, where it is, and when it was read. Pure."""

from typing import Final

from flashdeck.errors import ConfigError
from flashdeck.model import ConfigurationState
from flashdeck.text import clean, format_age

LONGEST_REFUSAL: Final = 700
"""Characters of all mistakes of a configuration in one line; those that are too many are only counted."""


def refusal_text(error: ConfigError) -> str:
    """Return all mistakes of a configuration in one line, as many as fit; the others are counted."""
    mistakes = [clean(part.advice, LONGEST_REFUSAL) for part in error.parts]
    if len(mistakes) == 1:
        return mistakes[0]
    told: list[str] = []
    for mistake in mistakes:
        if told and len("; ".join((*told, mistake))) > LONGEST_REFUSAL:
            break
        told.append(mistake)
    more = f"; and {len(mistakes) - len(told)} more" if len(told) < len(mistakes) else ""
    return f"{len(mistakes)} mistakes: {'; '.join(told)}{more}"


def configuration_text(configuration: ConfigurationState, now: float) -> str:
    """Return where the configuration is, when it was read, and whether it still is so."""
    main, *others = configuration.files or ("no file",)
    beside = f" and {len(others)} more" if others else ""
    age = f"read {format_age(max(0.0, now - configuration.read_at))} ago"
    return f"{clean(main)}{beside}, {age}{state_text(configuration)}"


def state_text(configuration: ConfigurationState) -> str:
    """Return what is wrong with the configuration since it was read, as the end of a sentence; "" for nothing."""
    if configuration.refused:
        return "; a newer one was refused"
    return "; changed since" if configuration.changed else ""
