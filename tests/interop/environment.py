"""The environment of the other library: made once of its lock, kept outside the checkout like the engines' programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.engines.fetch import NotHere, cache, locked
from tests.engines.plugin import wish

HERE: Final = Path(__file__).resolve().parent
LOCK: Final = HERE / "requirements.lock"
_SECONDS: Final = 300


class CannotBeHad(Exception):
    """The packages could not be installed; the sentence says why."""


def python() -> Path:
    """The interpreter of the environment, made where it is not there yet. Raises CannotBeHad and NotHere."""
    name = sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache().parent / f"interop-{name}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK))
            (folder / "made").touch()
    return folder / "bin" / "python"


def main() -> int:
    """`python -m tests.interop.environment`: have it made before the tests ask; one line where it cannot be."""
    if wish() == "off":
        return 0
    try:
        python()
    except (NotHere, CannotBeHad) as error:
        required = wish() == "required"
        print(
            f"{'HUB_TEST_ENGINES=required, but ' if required else 'left out: tests/interop: '}{error}", file=sys.stderr
        )
        return int(required)
    return 0


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        raise CannotBeHad(f"{' '.join(command[1:4])} failed: {error.stderr[-400:]}") from None
    except subprocess.TimeoutExpired:
        raise CannotBeHad(f"{' '.join(command[1:4])} did not end within {_SECONDS} s") from None


if __name__ == "__main__":
    sys.exit(main())
