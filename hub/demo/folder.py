"""Where the demo keeps its data: apart from a real hub's, kept over restarts, a folder for each operator port."""

from __future__ import annotations

from pathlib import Path

from hub.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]


def demo_folder(operator_port: int) -> Path:
    """`.hub/run/PORT` in the checkout; below the user's data where the hub is installed without one."""
    if (_ROOT / "pyproject.toml").is_file():
        return _ROOT / ".hub" / "run" / str(operator_port)
    default = Settings.model_fields["data"].get_default(call_default_factory=True)
    return Path(default).expanduser() / "run" / str(operator_port)


def shown(path: Path) -> str:
    """The path as one would type it here: relative where it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)
