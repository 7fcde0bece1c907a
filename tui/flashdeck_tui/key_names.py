"""The keys of actions as sentences name them: those that a person has given them, and no others. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from flashdeck_tui.key_signs import SIGNS

_LABELS = {"enter": "↵", "escape": "Esc", "space": "Space", **{name: sign for sign, name in SIGNS.items()}}
_IN_SENTENCES = {"↵": "Enter"}


def label_of(key: str) -> str:
    """Return a key as the key bar has it, by Textual's name of it."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return _LABELS.get(key, key)


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The one place that a hint has the name of a key from; made of the actions and the keys that they have now."""

    labels: Mapping[str, str]
    """By the name of the action; "" for one that has no key."""
    titles: Mapping[str, str]
    """The titles of the same actions, as the palette has them."""
    pages: Mapping[str, str]
    """Textual's names of the keys that only pages have, by what they do there; "" for none."""
    keys: Mapping[str, str]
    """Textual's names of the keys of the actions, several with commas between."""

    def __getitem__(self, action: str) -> str:
        """Return the key of an action; where it has none, the way to it. Of a page's own: its key, or "none"."""
        if action in self.pages:
            return _in_sentence(label_of(self.pages[action])) or "none"
        if label := self.labels[action]:
            return _in_sentence(label)
        return f"{self.labels['palette']} {self.titles[action]}".strip()

    def bar(self, words: Mapping[str, str]) -> str:
        """Return the line of a page that says its keys: `words` are what they do, by their names."""
        told = ((self.pages[name], word) for name, word in words.items())
        return " ".join(f"[{_in_sentence(label_of(key))}] {word}" for key, word in told if key)


def _in_sentence(label: str) -> str:
    return _IN_SENTENCES.get(label, label)
