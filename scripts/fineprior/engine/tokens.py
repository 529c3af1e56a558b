"""Tokens of a backbone's tower for any window of a sequence, each computed once.

A base reaches few tokens, and a token does not depend on the window that it is in, but for those next to the window's
ends, beyond which the tower sees zeros. So the tokens of a stretch of DNA, for a phase of the token grid, serve every
window there, and of each window only the tokens at its ends are computed again.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.engine.backbone import Backbone, Batches
from fineprior.engine.difference import Edit

Codes = NDArray[np.uint8]

_PLAIN_TOKENS = 48
"""Up to this, a window costs less than the slices (12 tokens each) at its ends and around the allele."""
_STRETCH_TOKENS = {"cpu": 64, "cuda": 1024}
_TOWER_TOKENS = {"cpu": 256, "cuda": 3072}
"""In one stretch of a track, in one batch of the tower."""
CACHE_BYTES = 2 << 30


@dataclass(frozen=True)
class Allele:
    """A window with an allele in place of what the genome has.

    Left of index `place` it has the bases of the genome's window that begins at `left`, then come the `inserted` ones,
    then those that the genome's window that begins at `right` has there. For alleles of one length, left is right.
    """

    left: int
    right: int
    place: int
    inserted: Codes


class WindowTokens:
    """Tokens of windows on one strand of a sequence of codes.

    Parameters
    ----------
    codes
        (bases,), in which all windows lie.
    backbone
        Its `tower` is used.
    cache_bytes
        Tokens that are kept for other windows; the least recently used ones go first.
    """

    def __init__(self, codes: Codes, backbone: Backbone, cache_bytes: int = CACHE_BYTES) -> None:
        self.codes = codes
        self._backbone = backbone
        self._size = backbone.token_size
        self.tokens = backbone.context_length // self._size
        self.plain = self.tokens <= _PLAIN_TOKENS
        self._edge = -(-backbone.reach // self._size)
        self._most_changed = -(-(1 + 2 * backbone.reach) // self._size) + 1
        self._stretch_tokens = _STRETCH_TOKENS[backbone.device.type]
        self._batches = Batches(_TOWER_TOKENS[backbone.device.type])
        self._bases = torch.eye(5, 4, device=backbone.device)
        self._kept: OrderedDict[tuple[str, int, int], Tensor] = OrderedDict()
        self._room = cache_bytes

    def windows(self, starts: list[int]) -> list[Tensor]:
        """Tokens (tokens, width) of the windows that begin at the bases `starts`."""
        if not self.plain:
            return [self.part(start, 0, self.tokens) for start in starts]
        length = self.tokens * self._size
        return list(self._tower(np.stack([self.codes[start : start + length] for start in starts])))

    def part(self, start: int, first: int, last: int) -> Tensor:
        """Tokens `first` to `last` of the window that begins at base `start`."""
        right = self.tokens - self._edge
        begin, end = max(first, self._edge), min(last, right)
        pieces = []
        if first < self._edge:
            pieces.append(self._look_up("left", start, 0)[first:last])
        if begin < end:
            token, phase = divmod(start, self._size)
            for number in range((token + begin) // self._stretch_tokens, (token + end - 1) // self._stretch_tokens + 1):
                skipped = number * self._stretch_tokens - token
                pieces.append(self._look_up("stretch", phase, number)[max(begin - skipped, 0) : end - skipped])
        if last > right:
            pieces.append(self._look_up("right", start, 0)[max(first - right, 0) : last - right])
        return torch.cat(pieces)

    def changed(self, allele: Allele) -> tuple[int, int]:
        """First and one past the last token that is neither one of the left window's nor one of the right's."""
        if self.plain:
            return 0, self.tokens
        first = (allele.place - self._backbone.reach) // self._size
        last = -(-(allele.place + len(allele.inserted) + self._backbone.reach) // self._size)
        return max(0, first), min(self.tokens, last)

    def changed_tokens(self, alleles: list[Allele]) -> list[Tensor]:
        """Those tokens (changed, width) of each allele.

        They are the middle of a slice with as many more at its sides as its ends spoil, but where it ends with the
        window. Slices of one length go through the tower together.
        """
        spans = [self.changed(allele) for allele in alleles]
        lengths = [min(self.tokens, max(self._most_changed, last - first) + 2 * self._edge) for first, last in spans]
        begins = [
            min(max(first - self._edge, 0), self.tokens - length)
            for (first, _), length in zip(spans, lengths, strict=True)
        ]
        found: list[Tensor] = [torch.empty(0)] * len(alleles)
        for length in sorted(set(lengths)):
            rows = [row for row, own in enumerate(lengths) if own == length]
            tokens = self._tower(np.stack([self._slice(alleles[row], begins[row], length) for row in rows]))
            for row, slice_tokens in zip(rows, tokens, strict=True):
                first, last = spans[row]
                found[row] = slice_tokens[first - begins[row] : last - begins[row]]
        return found

    def edit(self, allele: Allele, changed: Tensor, start: int) -> Edit:
        """An allele as an edit of the reference window at `start`, which is its left window or its right one."""
        first, last = self.changed(allele)
        if allele.left == allele.right:
            return first, changed
        if allele.left == start:
            return first, torch.cat([changed, self.part(allele.right, last, self.tokens)])
        return 0, torch.cat([self.part(allele.left, 0, first), changed])

    def _slice(self, allele: Allele, begin: int, length: int) -> Codes:
        """Codes of `length` tokens of an allele's window, from token `begin` on."""
        first, last = begin * self._size, (begin + length) * self._size
        place, end = (min(max(at, first), last) for at in (allele.place, allele.place + len(allele.inserted)))
        return np.concatenate([
            self.codes[allele.left + first : allele.left + place],
            allele.inserted[place - allele.place : end - allele.place],
            self.codes[allele.right + end : allele.right + last],
        ])  # fmt: skip

    def _look_up(self, kind: str, at: int, number: int) -> Tensor:
        """A stretch of the track of phase `at`, or the tokens at an end of the window at base `at`."""
        key = (kind, at, number)
        if key not in self._kept:
            found = self._kept[key] = self._stretch(at, number) if kind == "stretch" else self._window_end(kind, at)
            self._room -= found.nbytes
            while self._room < 0 and len(self._kept) > 1:
                self._room += self._kept.popitem(last=False)[1].nbytes
        self._kept.move_to_end(key)
        return self._kept[key]

    def _stretch(self, phase: int, number: int) -> Tensor:
        """The stretches do not depend on the windows, so their tokens are the same to the last bit."""
        first = number * self._stretch_tokens
        available = (len(self.codes) - phase) // self._size
        last = min(first + self._stretch_tokens, available)
        begin, end = max(first - self._edge, 0), min(last + self._edge, available)
        codes = self.codes[phase + begin * self._size : phase + end * self._size]
        return self._tower(codes[None])[0, first - begin : last - begin].clone()

    def _window_end(self, side: str, start: int) -> Tensor:
        length = 2 * self._edge * self._size
        begin = start if side == "left" else start + self.tokens * self._size - length
        tokens = self._tower(self.codes[None, begin : begin + length])[0]
        return (tokens[: self._edge] if side == "left" else tokens[self._edge :]).clone()

    def _tower(self, codes: Codes) -> Tensor:
        """Tokens (slices, tokens, width) of slices (slices, bases) whose ends count as ends of the DNA."""
        device = self._bases.device
        parts = self._batches(
            lambda part: self._backbone.tower(self._bases[torch.from_numpy(np.array(codes[part])).to(device).int()]),
            len(codes),
            codes.shape[1] // self._size,
        )
        return torch.cat(parts)
