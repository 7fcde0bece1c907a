"""The ending of a file's name: what is behind its last dot, unless that belongs to a version. Pure."""


def ending_of(name: str) -> str:
    """Return the ending of a name with its dot, in lower case; "" where it has none, as my-app-1.2 and fw-1.0-rc1."""
    dot = name.rfind(".")  # quicker than a path, for there are many
    return name[dot:].lower() if dot > 0 and not name[dot + 1 : dot + 2].isdecimal() else ""
