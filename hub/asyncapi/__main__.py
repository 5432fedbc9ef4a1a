"""`python -m hub.asyncapi` prints the document, `--write FILE` keeps it there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hub.asyncapi.document import document


def text() -> str:
    """The document as it is kept."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            print(text(), end="")
        case ["--write", name]:
            Path(name).write_text(text(), encoding="utf-8")
        case _:
            raise SystemExit("python -m hub.asyncapi [--write docs/asyncapi.json]")
