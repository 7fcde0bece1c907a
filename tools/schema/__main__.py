"""Writes every schema into `config/schema`."""

from schema.documents import DIRECTORY, DOCUMENTS, rendered


def main() -> None:
    """Write what is not as it should be, and say so."""
    DIRECTORY.mkdir(exist_ok=True)
    for name in DOCUMENTS:
        path, text = DIRECTORY / name, rendered(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: written anew")


main()
