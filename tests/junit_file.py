"""A file of test results in JUnit's XML, read as strictly as XML is."""

from pathlib import Path
from xml.etree import ElementTree as ET


def read_junit(file: Path | bytes) -> ET.Element:
    """Return its root."""
    return ET.fromstring(file if isinstance(file, bytes) else file.read_bytes())  # noqa: S314 - we wrote it
