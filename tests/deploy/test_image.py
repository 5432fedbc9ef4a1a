"""The image: who it runs as, what is in it, how it is asked whether it is alive."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.health import why_not
from hub.settings import Settings, described
from tests.deploy.reading import DEPLOY, ROOT, parsed

ROOMS = ("connectors", "routing", "hub")


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile: its word, and the rest with continuations joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def last(word: str) -> str:
    """The rest of the last instruction of this word in the image itself."""
    return [rest for one, rest in stages()[-1] if one == word][-1]


def test_the_base_is_slim_and_named_by_a_version() -> None:
    (base,) = [rest for word, rest in instructions() if word == "ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-\w+", base)
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {"${PYTHON}"}


def test_it_runs_as_nobody_in_particular() -> None:
    assert last("USER") == "10001:10001"
    words = [word for word, _ in stages()[-1]]
    assert "RUN" not in words[words.index("USER") :], "what is done after USER is done by the user"


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from="):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in let_in


def test_everything_is_installed_by_hash() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index --no-deps /wheels/*.whl" in install


def test_the_command_is_one_of_the_command_line() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["ocpi-hub"]
    assert parsed(json.loads(last("CMD"))) == ["serve"]


def test_its_variables_are_settings_and_its_ports_the_defaults() -> None:
    names = {pair.partition("=")[0] for pair in last("ENV").split()}
    assert {name for name in names if name.startswith("HUB_")} <= {setting.name for setting in described()}
    fields = Settings.model_fields
    assert last("EXPOSE") == f"{fields['port'].default} {fields['operator_port'].default}"
    assert last("VOLUME") == re.search(r"HUB_DATA=(\S+)", last("ENV")).group(1)  # type: ignore[union-attr]
    assert last("STOPSIGNAL") == "SIGTERM"


def test_the_wheel_holds_the_rooms_and_the_command(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "ocpi-hub = hub.cli.main:main" in opened.read(entry_points).decode()
    code = {str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert code <= names
    assert {name.partition("/")[0] for name in names} <= {*ROOMS, entry_points.partition("/")[0]}


# --- alive -----------------------------------------------------------------------------------------------------------


class _Answering(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_it_is_alive_where_its_operator_port_says_so(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"HUB_OPERATOR_PORT": str(port), "HUB_OPERATOR_HOST": "0.0.0.0"}
    assert why_not(there) is None
    monkeypatch.setattr(_Answering, "status", 503)
    assert why_not(there) == f"the operator port {port} answers 503"
    assert "does not answer" in str(why_not({"HUB_OPERATOR_PORT": "1"}))


@pytest.mark.parametrize("alive", [True, False])
def test_the_image_asks_for_it_by_the_exit_code(port: int, alive: bool) -> None:
    options, _, command = last("HEALTHCHECK").partition(" CMD ")
    assert all(option.startswith("--") for option in options.split())
    _, *rest = json.loads(command)
    environment = {**os.environ, "HUB_OPERATOR_HOST": "", "HUB_OPERATOR_PORT": str(port) if alive else "1"}
    ended = subprocess.run([sys.executable, *rest], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert ended.returncode == (0 if alive else 1)
