"""The jars of a real Apache Kafka, fetched by Maven into a folder that all local brokers share."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1] / "kafka"


class BrokerUnavailable(RuntimeError):
    """No local broker can run here; the message says what is missing or what went wrong."""


def libs_folder(home: Path) -> Path:
    """Where the jars of `home` are kept: a folder for each version of the list of jars."""
    if not (RECIPE / "pom.xml").exists():
        raise BrokerUnavailable("a local broker needs the checkout: there is no deploy/kafka here")
    digest = hashlib.sha256((RECIPE / "pom.xml").read_bytes()).hexdigest()[:12]
    return home.expanduser().resolve() / "kafka" / f"libs-{digest}"


def fetch_libs(libs: Path) -> None:
    """Fetch the broker's jars into `libs` unless they are there; several processes may ask at once.

    Raises BrokerUnavailable without Java or Maven, or when Maven fails.
    """
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if "java" in missing or (missing and not libs.exists()):
        raise BrokerUnavailable(f"a local broker needs a JDK 17+ and Maven; missing: {missing}")
    libs.parent.mkdir(parents=True, exist_ok=True)
    with _locked(libs.with_name(libs.name + ".lock")):
        if libs.exists():
            return
        draft = libs.with_name(libs.name + ".draft")
        repository = libs.with_name(libs.name + ".maven")  # not the user's: nothing stays outside
        run(
            [
                *("mvn", "-q", "-B", "-f", str(RECIPE / "pom.xml")),
                *(f"-Dmaven.repo.local={repository}", "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={draft}"),
            ],
            libs.parent,
        )
        draft.rename(libs)
        shutil.rmtree(repository)


def run(command: list[str], folder: Path) -> str:
    """What `command` prints, run in `folder`. Raises BrokerUnavailable when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-1000:]
        raise BrokerUnavailable(f"{command[0]} failed: {said}")
    return done.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
