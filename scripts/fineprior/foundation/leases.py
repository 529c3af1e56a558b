"""Folders that several jobs work in at once, also from several machines: the last one to finish removes them.

Each job holds a lease, a file in the folder that it touches every minute. That the job of a lease was killed shows in
its process, on the same machine, or in the age of the lease. A folder that disappears nevertheless costs time and
nothing else: a job computes again what it does not find.
"""

import hashlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT_SECONDS = 60.0
STALE_SECONDS = 900.0
_PREFIX = ".lease-"
_TRIES = 100


@contextmanager
def shared_folder(folder: Path) -> Iterator[Path]:
    """Work in a folder, which is made where it is not there.

    When the block ends without an error the folder is removed, unless another job works in it; after an error it stays,
    for the next job to go on from.
    """
    lease = _taken(folder)
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(lease, ended), daemon=True)
    beat.start()
    done = False
    try:
        yield folder
        done = True
    finally:
        ended.set()
        beat.join()
        with suppress(OSError):  # a lease that cannot be read or removed goes stale by itself
            if done and not _others(folder, lease):
                _remove(folder, lease)
            lease.unlink(missing_ok=True)


def _taken(folder: Path) -> Path:
    lease = folder / f"{_PREFIX}{_machine()}-{os.getpid()}-{os.urandom(4).hex()}"
    for _ in range(_TRIES):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lease.touch()
            return lease
        except FileNotFoundError:  # another job has just removed the folder
            continue
    lease.touch()
    return lease


def _beat(lease: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        with suppress(OSError):
            lease.parent.mkdir(parents=True, exist_ok=True)
            lease.touch()


def _others(folder: Path, own: Path) -> bool:
    """Whether another job works in the folder."""
    # Ages by the clock of the file server, which may not be this machine's.
    mine = folder / own.name
    mine.touch()
    now = mine.stat().st_mtime
    machine = _machine()
    for path in folder.glob(f"{_PREFIX}*"):
        host, _, rest = path.name.removeprefix(_PREFIX).partition("-")
        with suppress(FileNotFoundError):
            fresh = now - path.stat().st_mtime < STALE_SECONDS
            if path.name != own.name and fresh and not (host == machine and _dead(rest.partition("-")[0])):
                return True
    return False


def _remove(folder: Path, own: Path) -> None:
    """Remove a folder in one step, so that a job that comes meanwhile finds it whole or not at all."""
    aside = folder.with_name(f".{folder.name}-{own.name.removeprefix(_PREFIX)}")
    folder.rename(aside)
    if _others(aside, own):  # came between the look and the step
        with suppress(OSError):  # it has begun a folder of its own
            aside.rename(folder)
            return
    shutil.rmtree(aside, ignore_errors=True)


def _dead(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OverflowError):
        pass
    return False


def _machine() -> str:
    """Where process numbers mean the same: the machine, and the container in it."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:12]
