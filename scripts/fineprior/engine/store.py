"""The store: finished embeddings of variants, keyed by what they were computed from.

A folder for each backbone and way of embedding, named by a digest of both, holds immutable part files. A variant's key
is a digest of the bases of its window and of its alleles, so that neither a study nor the name of a genome enters: what
is there is never computed again, by whichever job, study or head. Parts appear whole or not at all (written beside,
then renamed), so that a job can be killed at any moment and several can work on one store at once, also through a
network file system; there is no lock.

Variants are computed in blocks of fixed composition. A block that was lost is computed again from the same variants,
so that a run that was killed ends with the same bytes as one that was not.
"""

import dataclasses
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.integrity import check, shared_salt
from fineprior.files.logs import Progress
from fineprior.files.whole import atomic_path
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.sequence.windows import LocusSequences

FORMAT = 1
"""To be raised when a change of the code changes embeddings by more than float noise: older ones are then not found."""
BLOCK = 64
Singles = NDArray[np.float32]
Compute = Callable[[NDArray[np.int64]], tuple[Singles, Singles]]
_DESCRIPTION = "store.json"
_NOT_IN_KEY = {"weights", "revision", "sha256", "max_offset", "max_indel_length", "reference_mismatch", "screen",
               "training_regions"}  # fmt: skip
"""Settings that say which variants are embedded, or what the digests say better."""
_PART_BYTES = 1 << 28
_DAY = 86_400

logger = logging.getLogger(__name__)


def variant_keys(sequences: LocusSequences, rows: NDArray[np.int64], shift: int = 0) -> NDArray[np.bytes_]:
    """Keys (rows,) of variants: digest of the bases that their windows can show, and of what changes where.

    Parameters
    ----------
    shift
        Bases that windows are moved by (`windows.shift`).
    """
    seen: dict[tuple[int, int], bytes] = {}
    keys = []
    for row, net in zip(rows.tolist(), sequences.net(rows).tolist(), strict=True):
        start, beside = int(sequences.offset[row]), shift + max(0, -net)
        if (start, beside) not in seen:
            window = sequences.sequence[start - beside : start + sequences.context_length + beside]
            seen[start, beside] = hashlib.blake2b(window.tobytes(), digest_size=16).digest()
        change = f"{sequences.site[row] - start}:{sequences.removed[row]}:{sequences.inserted[row]}"
        keys.append(hashlib.blake2b(seen[start, beside] + change.encode(), digest_size=16).hexdigest().encode())
    return np.array(keys, "S32")


def store_identity(digest: str, backbone: BackboneSettings, windows: WindowSettings) -> dict[str, Any]:
    """What all embeddings of one folder of the store have in common."""
    settings = dataclasses.asdict(backbone) | dataclasses.asdict(windows)
    return {"format": FORMAT, "backbone": digest} | {k: v for k, v in settings.items() if k not in _NOT_IN_KEY}


class _ForeignError(Exception):
    """A part that is whole, but not of this store."""


class Store:
    """Finished embeddings of one backbone and one way of embedding.

    Parameters
    ----------
    root
        Folder of all stores.
    identity
        What the embeddings depend on besides the variant (see `store_identity`).
    shape
        Of the embedding of one allele: (views, centre_bins, dim).
    flush_seconds
        How much computing a killed job loses at most, besides the block at hand.

    Raises
    ------
    InputError
        The folder cannot be made, or its description is of another backbone.
    """

    def __init__(
        self, root: str | Path, identity: dict[str, Any], shape: tuple[int, ...], flush_seconds: float = 60.0
    ) -> None:
        self.identity = json.dumps(identity, sort_keys=True)
        self.folder = Path(root) / hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        self.shape = shape
        self._flush_seconds = flush_seconds
        self._known: set[str] = {_DESCRIPTION}
        self._pending: list[tuple[NDArray[np.bytes_], Singles, Singles]] = []
        description = self.folder / _DESCRIPTION
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not description.is_file():
                with atomic_path(description, shared=True) as temporary:
                    temporary.write_text(self.identity + "\n")
            found = description.read_text("utf-8", "replace").strip()
        except OSError as error:
            raise InputError(f"{self.folder}: the store cannot be used ({error.strerror})") from None
        if found != self.identity:
            raise InputError(
                f"{description}: damaged, or describes another backbone or other settings than its folder is for; "
                "delete it and run again, which makes a new one"
            )
        self._remove_leftovers()

    def embeddings(self, keys: NDArray[np.bytes_], compute: Compute) -> tuple[Singles, Singles]:
        """Reference and difference (keys, views, bins, dim), from the store or computed and put there.

        Parameters
        ----------
        keys
            Different from one another, in an order that the job's input determines.
        compute
            Embeds some of them, given by index.

        Raises
        ------
        InputError
            There is no space left, or embeddings are not finite.
        """
        reference, difference = (np.zeros((len(keys), *self.shape), np.float32) for _ in range(2))
        missing = np.ones(len(keys), bool)
        place = {key: index for index, key in enumerate(keys.tolist())}
        self._gather(place, missing, reference, difference)
        blocks = [np.arange(start, min(start + BLOCK, len(keys))) for start in range(0, len(keys), BLOCK)]
        logger.info("%d of %d variants are in the store %s", len(keys) - missing.sum(), len(keys), self.folder)
        progress = Progress(int(missing.sum()), "variants")
        flushed = time.monotonic()
        waiting = _Waiting(blocks, missing)
        try:
            for block in waiting:
                rows = block[missing[block]]
                reference[rows], difference[rows] = self._checked(rows, *compute(rows))
                missing[rows] = False
                progress.advance(len(rows))
                self._pending.append((keys[rows], reference[rows], difference[rows]))
                size = sum(one.nbytes + two.nbytes for _, one, two in self._pending)
                if time.monotonic() - flushed >= self._flush_seconds or size >= _PART_BYTES:
                    met = self._flush()
                    flushed = time.monotonic()
                    progress.leave_out(self._gather(place, missing, reference, difference))
                    if met:
                        waiting.go_elsewhere()
        finally:
            self._flush()
        progress.finish()
        return reference, difference

    def _checked(self, rows: NDArray[np.int64], reference: Singles, difference: Singles) -> tuple[Singles, Singles]:
        finite = np.isfinite(reference).all(axis=(1, 2, 3)) & np.isfinite(difference).all(axis=(1, 2, 3))
        if not finite.all():
            raise InputError(
                f"backbone: the embeddings of {int((~finite).sum())} of {len(rows)} variants are not finite; are the "
                "weights damaged, or the precision too low for them?"
            )
        return reference, difference

    def _flush(self) -> bool:
        """Write what is pending as one part; True if another job has done so meanwhile."""
        if not self._pending:
            return False
        keys, reference, difference = (np.concatenate(arrays) for arrays in zip(*self._pending, strict=True))
        self._pending = []
        name = f"part-{hashlib.sha256(keys.tobytes()).hexdigest()[:16]}.npz"
        met = name not in self._known and (self.folder / name).exists()
        with atomic_path(self.folder / name, shared=True) as temporary:
            np.savez(temporary, identity=self.identity, keys=keys, reference=reference, difference=difference)
        self._known.add(name)
        return met

    def _gather(
        self, place: dict[bytes, int], missing: NDArray[np.bool_], reference: Singles, difference: Singles
    ) -> int:
        """Fill in what parts that were not seen before have of the missing; the number of variants found."""
        before = int(missing.sum())
        for name in sorted(set(os.listdir(self.folder)) - self._known):
            if name.startswith("."):
                continue
            self._known.add(name)
            path, looked = self.folder / name, time.time()
            if path.exists() and not path.is_file():
                logger.warning("%s: not a usable part of the store, ignored (no file)", path)
                continue
            try:
                found = self._wanted(path, place, missing)
            except FileNotFoundError:  # damaged, and another job has removed it
                continue
            except _ForeignError as error:
                logger.warning("%s: not a usable part of the store, ignored (%s)", path, error)
                continue
            except Exception as error:  # whatever a damaged file makes of the reader
                reason = str(error).split("\n")[0].removeprefix(f"{path}: ")
                self._discard(path, looked, reason, certain=not isinstance(error.__cause__ or error, OSError))
                continue
            rows, one, two = found
            reference[rows], difference[rows] = one, two
            missing[rows] = False
        return before - int(missing.sum())

    def _wanted(
        self, path: Path, place: dict[bytes, int], missing: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Singles, Singles]:
        """What a part has of the missing: their rows, reference and difference; the part is checked if it has any."""
        with np.load(path, allow_pickle=False) as part:
            if str(part["identity"]) != self.identity:
                raise _ForeignError("of another backbone or other settings")
            places = np.array([place.get(key, -1) for key in part["keys"].tolist()], np.int64)
            chosen = np.flatnonzero(places >= 0)
            chosen = chosen[missing[places[chosen]]]
            if not len(chosen):
                nothing = np.empty((0, *self.shape), np.float32)
                return places[chosen], nothing, nothing
            # Parts of older versions have no seal; zip's own checksums are compared where their arrays are read.
            check(path, shared_salt(path))
            one, two = part["reference"], part["difference"]
            if one.shape != (len(places), *self.shape) or two.shape != one.shape:
                raise _ForeignError(f"embeddings of shape {one.shape[1:]} instead of {self.shape}")
            if not (np.isfinite(one).all() and np.isfinite(two).all()):
                raise ValueError("embeddings that are not finite")
            return places[chosen], one[chosen], two[chosen]

    def _discard(self, path: Path, looked: float, reason: str, certain: bool) -> None:
        """Name a part that cannot be read, and remove it, so that the next job does not meet it again.

        A file that is no part stays, and so does one that the file system did not give (not `certain`), or that is not
        the one that was looked at any more.
        """
        removed = False
        with suppress(OSError):
            if certain and path.name.startswith("part-") and path.stat().st_mtime < looked:
                path.unlink()
                removed = True
        what = "removed; what is needed of it is computed again" if removed else "ignored"
        logger.warning("%s: not a usable part of the store, %s (%s)", path, what, reason)

    def _remove_leftovers(self) -> None:
        """Remove what killed jobs have left half written, once it is certain that they are not at it any more."""
        for path in self.folder.glob(".*"):
            try:
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()
            except OSError:  # another job was faster
                continue


def in_blocks(
    keys: NDArray[np.bytes_], shape: tuple[int, ...], compute: Compute, store: Store | None
) -> tuple[Singles, Singles]:
    """As `Store.embeddings`; without a store all are computed, in the same blocks."""
    if store is not None:
        return store.embeddings(keys, compute)
    reference, difference = (np.zeros((len(keys), *shape), np.float32) for _ in range(2))
    progress = Progress(len(keys), "variants")
    for start in range(0, len(keys), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(keys)))
        reference[rows], difference[rows] = compute(rows)
        progress.advance(len(rows))
    progress.finish()
    return reference, difference


class _Waiting:
    """Blocks that are not finished: one after the other from a random one, and from another where that one is taken.

    Two jobs with the same list would otherwise go through it side by side.
    """

    def __init__(self, blocks: list[NDArray[np.int64]], missing: NDArray[np.bool_]) -> None:
        self._blocks = blocks
        self._missing = missing
        self._next = -1
        self._random = np.random.default_rng(os.getpid())

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        while left := [number for number, block in enumerate(self._blocks) if self._missing[block].any()]:
            number = self._next if self._next in left else int(self._random.choice(left))
            self._next = number + 1
            yield self._blocks[number]

    def go_elsewhere(self) -> None:
        """Take a random block next."""
        self._next = -1
