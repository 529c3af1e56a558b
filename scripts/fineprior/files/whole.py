"""Files that are either whole or absent, also after a power cut; and folders that several jobs work in at once.

`atomic_path` writes a file, which carries its digest (see `integrity`). `shared_folder` is for jobs on one or several
machines, the last of which removes the folder. Each job holds a lease, a file in the folder that it touches every
minute. That the job of a lease was killed shows in its process, on the same machine, or in the age of the lease. A
folder that disappears nevertheless costs time and nothing else: a job computes again what it does not find.
"""

import errno
import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fineprior.files import integrity
from fineprior.files.errors import InputError

_REMEDIES = {
    errno.ENOSPC: "no space left to write it ({}); make space and run again, finished work is kept",
    errno.EDQUOT: "no space left to write it ({}); make space and run again, finished work is kept",
    errno.EFBIG: "too large to be written ({}); raise the limit (ulimit -f) and run again, finished work is kept",
    errno.EROFS: "cannot be written ({}); choose another folder, or mount the file system for writing",
}
_OF_PLACE = {
    errno.EISDIR: "cannot be written, for a folder has its name; move that away and run again",
    errno.ENOTDIR: "cannot be written, for a file has the name of one of its folders; move that away and run again",
    errno.EEXIST: "cannot be written, for a file has the name of one of its folders; move that away and run again",
    errno.EACCES: "may not be written ({}); change the permissions of its folder, or choose another",
    errno.EPERM: "may not be written ({}); change the permissions of its folder, or choose another",
    errno.ENAMETOOLONG: "cannot be written ({}); choose shorter names",
}
"""Where the error is about the file's own place: the same numbers may come of what is read meanwhile."""
_IN_WORDS = re.compile("os error ([0-9]+)|inline_container.*unexpected pos|PytorchStreamWriter failed")
"""How safetensors and torch, which raise errors of their own, say that writing stopped short."""
BEAT_SECONDS = 60.0
"""How often a job touches its lease."""
STALE_SECONDS = 900.0
"""Age of a lease from which on its job counts as killed."""
_LEASE = ".lease-"
_TRIES = 100


@contextmanager
def atomic_path(path: str | Path, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffixes of `path`, so that writers which choose a format by suffix work. Before the
    rename the file gets its digest, and its bytes reach the disk; so does its folder afterwards.

    Parameters
    ----------
    shared
        For a file in a folder that several projects work in (the store): it has a seal, bound to its name, and no
        record, which two writers of one file could leave to the wrong one.

    Raises
    ------
    InputError
        The file system is full, or the user's share of it; it is read-only; files may not be as large; or a file may
        not be written in this place.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _publish(temporary, path, shared)
    except Exception as error:
        if why := not_written(error) or _not_here(error, temporary, path):
            raise InputError(f"{path}: {why}") from None
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def not_written(error: Exception) -> str:
    """Why a file could not be written and what to do, from an exception; empty for an exception of another kind."""
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (found := _IN_WORDS.search(str(error))):
        code = int(found[1]) if found[1] else errno.ENOSPC
    return _REMEDIES[code].format(os.strerror(code)) if code in _REMEDIES else ""


def _not_here(error: Exception, temporary: Path, path: Path) -> str:
    """As `not_written`, where the error names the file or a folder that it is in."""
    code = error.errno if isinstance(error, OSError) else None
    places = {str(place) for place in (temporary, path, *path.parents)}
    if code not in _OF_PLACE or str(getattr(error, "filename", None)) not in places:
        return ""
    return _OF_PLACE[code].format(os.strerror(code))


def _publish(temporary: Path, path: Path, shared: bool) -> None:
    """Give a finished file or folder its digest and its name."""
    salt = integrity.shared_salt(path) if shared else ""
    digest = "" if temporary.is_dir() else integrity.seal(temporary, path.suffix, salt)
    files = [file for file in temporary.rglob("*") if not file.is_symlink()] if temporary.is_dir() else []
    for file in (*files, temporary):
        _to_disk(file)
    if not shared:
        digest = digest or integrity.folder_digest(temporary)
        before = integrity.recorded(path)
        # A job that is killed at this point leaves the file before or the new one: its record says both. The record is
        # not waited for: what a power cut leaves of it is as good as none.
        if before or not path.exists():
            integrity.record(path, digest, before)
    temporary.replace(path)
    if not shared and integrity.recorded(path) != (digest,):
        integrity.record(path, digest)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    """Wait until what was written to a file, or a folder's list of files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot do so for folders
            raise
    finally:
        os.close(handle)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as a hexadecimal string."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
    lease = folder / f"{_LEASE}{_machine()}-{os.getpid()}-{os.urandom(4).hex()}"
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
    for path in folder.glob(f"{_LEASE}*"):
        host, _, rest = path.name.removeprefix(_LEASE).partition("-")
        with suppress(FileNotFoundError):
            fresh = now - path.stat().st_mtime < STALE_SECONDS
            if path.name != own.name and fresh and not (host == machine and _dead(rest.partition("-")[0])):
                return True
    return False


def _remove(folder: Path, own: Path) -> None:
    """Remove a folder in one step, so that a job that comes meanwhile finds it whole or not at all."""
    aside = folder.with_name(f".{folder.name}-{own.name.removeprefix(_LEASE)}")
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
