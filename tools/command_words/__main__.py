"""Writes what is made of the commands."""

from command_words.documents import DOCUMENTS


def main() -> None:
    """Write what is not as it should be, and say so."""
    for path, render in DOCUMENTS.items():
        text = render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: written anew")


main()
