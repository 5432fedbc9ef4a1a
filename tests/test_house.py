"""The rules of the house, as tests: who imports whom, what is never committed, what the tooling promises."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("connectors", "routing", "hub")  # each may import those before it

# Decisions are pure functions of values: wherever a module has one of these names, it is one.
PURE = {"catalogue", "classify", "fold", "judgement", "policy", "resolve", "translate", "values"}
NOT_PURE = {"aiohttp", "aiokafka", "asyncio", "motor", "pymongo", "random", "socket", "sqlite3", "threading", "time"}

LOCKS = ("requirements.lock", "requirements-dev.lock")

# Written in pieces, so that this file is not the first to be found.
NEVER_COMMITTED = [
    re.compile(re.escape("".join(pieces)))
    for pieces in (
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/fa", "rm/"),
        ("/tmp", "/v/"),
        ("/opt", "/wheels"),
        ("pyp", "i.org"),
        ("python", "hosted"),
        ("registry.", "npmjs"),
        ("crates", ".io"),
        ("repo1", ".maven"),
        ("deb.", "debian.org"),
        ("--index", "-url "),
        ("--extra-index", "-url "),
    )
]


# --- imports ---------------------------------------------------------------------------------------------------------


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that `path` imports, also inside functions; `a.b` for `from a import b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def imports_of(path: Path, *names: str) -> list[str]:
    """Those imports of `path` that are one of `names` or lie below one."""
    return sorted(found for found in imports(path) if any(f"{found}.".startswith(f"{name}.") for name in names))


def offenders(paths: list[Path], *names: str) -> dict[str, list[str]]:
    found = {str(path.relative_to(ROOT)): imports_of(path, *names) for path in paths}
    return {path: names for path, names in found.items() if names}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    later = ROOMS[ROOMS.index(room) + 1 :]
    assert offenders(modules(room), *later, "tests") == {}


def test_connectors_know_no_log_and_no_store() -> None:
    assert offenders(modules("connectors"), "aiokafka", "motor", "pymongo", "bson", "sqlite3") == {}


def test_routing_knows_no_http_server() -> None:
    assert offenders(modules("routing"), "aiohttp.web") == {}


def test_motor_stays_behind_one_module() -> None:
    assert len(offenders(modules(*ROOMS), "motor")) <= 1


def test_aiokafka_stays_behind_the_log_on_kafka() -> None:
    assert {Path(path).parent for path in offenders(modules(*ROOMS), "aiokafka")} == {Path("routing/log/kafka")}


def test_decisions_are_pure() -> None:
    pure = [path for path in modules("connectors", "routing") if path.stem in PURE or path.parent.name in PURE]
    assert pure
    assert offenders(pure, *NOT_PURE) == {}


def test_what_is_remembered_of_calls_has_a_bound() -> None:
    """A cache without one grows with whatever a caller thinks of."""
    assert offenders(modules(*ROOMS), "functools.cache") == {}
    found = [path for path in modules(*ROOMS) if re.search(r"lru_cache\((maxsize=)?None", path.read_text("utf-8"))]
    assert found == []


# --- what is committed -----------------------------------------------------------------------------------------------


@cache
def committed() -> tuple[Path, ...]:
    """The files of the repository: what git has or would take; without git, all but what make makes."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        return tuple(path for name in listing.split("\0") if name and (path := ROOT / name).is_file())
    made = {".git", ".venv", ".venv-lock", "__pycache__", "build", "dist", ".hub"}
    return tuple(
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not any(part in made or part.endswith("_cache") for part in path.relative_to(ROOT).parts)
    )


def texts() -> Iterator[tuple[str, str]]:
    for path in committed():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield str(path.relative_to(ROOT)), data.decode("utf-8")


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for name, text in texts()
        for pattern in NEVER_COMMITTED
        for hit in pattern.finditer(text)
    ]
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    for sample in ("cd /wo" + "rk/main", "https://pyp" + "i.org/simple", "--index" + "-url https://example.com"):
        assert any(pattern.search(sample) for pattern in NEVER_COMMITTED), sample


def test_every_decision_is_in_the_index() -> None:
    pages = ROOT / "docs" / "decisions"
    linked = set(re.findall(r"\]\(([^)/]+\.md)\)", (pages / "README.md").read_text()))
    assert linked == {path.name for path in pages.glob("*.md")} - {"README.md"}


# --- make ------------------------------------------------------------------------------------------------------------


def targets() -> dict[str, str]:
    """The targets of `make help` and their lines, read as `make help` reads them."""
    return dict(re.findall(r"^([a-z-]+):.*## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_make_help_is_whole() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (help.*)$", text, re.MULTILINE)
    assert phony
    assert set(targets()) == set(phony.group(1).split())
    assert set(targets()) >= {
        "bench", "chaos", "check", "clean", "engines", "engines-stop", "help", "install", "lock", "run", "sim", "test",
    }  # fmt: skip


def test_make_help_prints_every_target() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target, line in targets().items():
        assert re.search(rf"^ +make {target} +{re.escape(line)}$", printed, re.MULTILINE), target


def test_every_target_that_a_page_or_ci_names_exists() -> None:
    named = set(re.findall(r"^step ([a-z]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert named == {"check", "test", "chaos"}
    for path in committed():
        if path.suffix == ".md":
            code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", path.read_text(), re.DOTALL))
            named |= set(re.findall(r"(?:^|`|&& |\$ )make ([a-z][a-z-]*)", code, re.MULTILINE))
    assert named <= set(targets())


# --- locks -----------------------------------------------------------------------------------------------------------


def requirements(lock: str) -> dict[str, list[str]]:
    """Name and version of every requirement in a lock, with its hashes."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *options = line.split()
            found[requirement] = options
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_no_address(lock: str) -> None:
    for requirement, options in requirements(lock).items():
        assert re.fullmatch(r"[a-z0-9.-]+==[A-Za-z0-9.+!]+", requirement), requirement
        assert options, f"{requirement} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), requirement
    assert "://" not in (ROOT / lock).read_text()


def test_the_locks_agree() -> None:
    runtime, dev = (requirements(lock) for lock in LOCKS)
    assert runtime.items() <= dev.items()


def test_the_locks_hold_what_pyproject_names() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(listed: list[str]) -> set[str]:
        return {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in listed}

    runtime, dev = ({requirement.split("==")[0] for requirement in requirements(lock)} for lock in LOCKS)
    assert names(project["dependencies"]) <= runtime
    assert names(project["optional-dependencies"]["dev"]) <= dev
