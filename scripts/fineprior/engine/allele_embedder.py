"""Both alleles of variants through a backbone, exactly, at the cost of what a variant changes.

An alternative allele is its reference window with a few tokens of the tower exchanged, which come from a slice of
sequence around it; one of another length has beside it the tokens of the window that begins as many bases earlier or
later (see `tokens`). The transformer then runs for the alternatives, and once for the reference windows that they
share. Nothing is approximated: the results are those of the plain forward pass to float noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.engine.backbone import Backbone, Batches
from fineprior.engine.difference import Edit, Reference
from fineprior.engine.tokens import CACHE_BYTES, Allele, Codes, WindowTokens
from fineprior.files.arrays import Flags, Integers
from fineprior.files.errors import InputError
from fineprior.genome.fasta import codes_of, reverse_complement
from fineprior.project.settings import WindowSettings
from fineprior.sequence.windows import LocusSequences

_TRUNK_TOKENS = {"cpu": 1536, "cuda": 24576}
"""In one batch of the trunk: one window of 196 kb on a CPU, 16 on a GPU."""
_HELD_TOKENS = 24576
"""Of reference windows at the same time."""


@dataclass(frozen=True)
class _Strand:
    """The variants of a `LocusSequences` on one strand, read in its direction; arrays (variants,)."""

    tokens: WindowTokens
    start: Integers
    site: Integers
    removed: Integers
    inserted: list[Codes]
    first_bin: Integers
    left_bins: Integers

    def allele(self, row: int, keeps_left: bool) -> Allele:
        """The window of the other allele that keeps the left, or the right, of the reference window in its place."""
        start, site, inserted = int(self.start[row]), int(self.site[row]), self.inserted[row]
        net = len(inserted) - int(self.removed[row])
        left, right = (start, start - net) if keeps_left else (start + net, start)
        return Allele(left, right, site - left, inserted)


@dataclass(frozen=True)
class WindowGroup:
    """Some reference windows on one strand, and the alleles that are read in them.

    An insertion or deletion that is stitched is there twice, once with each side kept in its place.

    Attributes
    ----------
    windows
        (windows, tokens, width).
    index, owner
        (alleles,) which of the requested rows, and in which of the windows.
    bins
        Bins of a window that are read of any of them.
    read
        bool (alleles, bins): those that are read of each.
    """

    windows: Tensor
    index: Integers
    owner: Integers
    bins: slice
    read: Flags
    _alleles: list[Allele]
    _changed: list[Tensor]
    _starts: list[int]
    _tokens: WindowTokens

    def edits(self, part: slice) -> list[Edit]:
        """Edits of the reference windows that make those alleles."""
        rows = range(len(self.index))[part]
        return [
            self._tokens.edit(self._alleles[row], self._changed[row], self._starts[self.owner[row]]) for row in rows
        ]


class AlleleEmbedder:
    """Embeds the two alleles of variants in the bins around them.

    Attributes
    ----------
    strands
        Strands that are read, the forward one first: the first views, those of windows that are not moved.

    Parameters
    ----------
    sequences
        Variants and the DNA around them.
    backbone
        With precision float32 both alleles go through its trunk; otherwise differences go through its `differences()`.
    settings
        Bins, strands, and whether insertions and deletions are stitched.
    batch_size
        Windows at once in the trunk; 0 for what is fast on the device. Fewer when memory does not suffice.
    threads
        Of a CPU.
    cache_bytes
        Tokens that are kept for other windows, on each strand of all moved windows together.

    Raises
    ------
    InputError
        `centre_bins` cannot be read symmetrically, or the sequences are of another context length.
    """

    def __init__(
        self,
        sequences: LocusSequences,
        backbone: Backbone,
        settings: WindowSettings,
        batch_size: int = 0,
        threads: int = 1,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        torch.set_num_threads(threads)
        self._sequences, self._backbone = sequences, backbone
        self._count, margin = settings.centre_bins, backbone.target_bins - settings.centre_bins
        if self._count < 1 or margin < 0 or margin % 2:
            raise InputError(
                f"windows.centre_bins: {self._count} of {backbone.target_bins} target bins; it must be from 1 to "
                f"{backbone.target_bins} and leave as many bins at the left as at the right"
            )
        if sequences.context_length != backbone.context_length:
            raise InputError(
                f"sequences have windows of {sequences.context_length} bp, the backbone {backbone.context_length} bp"
            )
        shifts = (0, -settings.shift, settings.shift) if settings.shift else (0,)
        cache_bytes //= len(shifts)
        self._views: list[_Strand] = []
        for shift in shifts:
            window_tokens = WindowTokens(sequences.sequence, backbone, cache_bytes)
            forward = _forward_strand(sequences.moved(shift), backbone, settings, window_tokens)
            self._views.append(forward)
            if settings.reverse_complement:
                self._views.append(_reverse_strand(forward, backbone, self._count, cache_bytes))
        self.strands = len(self._views) // len(shifts)
        tokens = self._views[0].tokens.tokens
        self._batches = Batches(batch_size * tokens or _TRUNK_TOKENS[backbone.device.type])
        # One by one where they are run so, because a trunk may keep what the alleles of a window share with it.
        self._windows = 1 if self._batches.limit < 2 * tokens else max(1, _HELD_TOKENS // tokens)

    def order(self, rows: Integers) -> Integers:
        """The same rows, so ordered that neighbours share most: stretch of DNA, phase of the window, length, window."""
        start = self._views[0].start[rows]
        by_start = np.argsort(start, kind="stable")
        apart = np.diff(start[by_start], prepend=start[by_start][:1]) >= self._backbone.context_length
        region = np.empty_like(rows)
        region[by_start] = np.cumsum(apart)
        net = np.abs(self._sequences.net(rows))
        keys = (self._sequences.site[rows], start, net, start % self._backbone.token_size, region)
        return rows[np.lexsort(keys)]

    def embed(self, rows: Integers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings of the genome's allele, and of the other one minus these.

        Returns
        -------
        Two arrays (rows, views, centre_bins, dim), float32. A view is a strand of a window: forward, then reverse
        complement (its bins in forward order), of the window and of each moved one. The result depends on these rows,
        not on those of earlier calls.
        """
        shape = (len(rows), len(self._views), self._count, self._backbone.dim)
        reference, difference = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for view in range(len(self._views)):
            turn = slice(None, None, -1 if view % self.strands else 1)
            for group in self.groups(rows, view):
                embedded, effects = self._effects(group)
                for index, owner, read, effect in zip(group.index, group.owner, group.read, effects, strict=True):
                    first = int(self._views[view].first_bin[rows[index]]) - group.bins.start
                    own = slice(first, first + self._count)
                    reference[index, view] = embedded[owner, own][turn]
                    difference[index, view][turn][read[own]] = effect[own][read[own]]
        return reference, difference

    def groups(self, rows: Integers, number: int) -> Iterator[WindowGroup]:
        """Windows and alleles of those rows in one view, some windows at a time."""
        view = self._views[number]
        by_window = np.argsort(view.start[rows], kind="stable")
        starts, first = np.unique(view.start[rows][by_window], return_index=True)
        for begin in range(0, len(starts), self._windows):
            some = [int(start) for start in starts[begin : begin + self._windows]]
            last = first[begin + self._windows] if begin + self._windows < len(starts) else len(rows)
            yield self._group(view, rows, by_window[first[begin] : last], some)

    def _group(self, view: _Strand, rows: Integers, members: Integers, starts: list[int]) -> WindowGroup:
        firsts = view.first_bin[rows[members]]
        bins = slice(int(firsts.min()), int(firsts.max()) + self._count)
        number = np.arange(bins.start, bins.stop)
        index, read, alleles = [], [], []
        for member, own in zip(members, firsts, strict=True):
            row = int(rows[member])
            wanted = (number >= own) & (number < own + self._count)
            same_length = len(view.inserted[row]) == view.removed[row]
            left = wanted & ((number < view.left_bins[row]) | same_length)
            for keeps_left, bins_read in ((True, left), (False, wanted & ~left)):
                if bins_read.any():
                    index.append(member)
                    read.append(bins_read)
                    alleles.append(view.allele(row, keeps_left))
        return WindowGroup(
            torch.stack(view.tokens.windows(starts)),
            np.array(index),
            np.searchsorted(starts, view.start[rows[index]]),
            bins,
            np.array(read),
            alleles,
            view.tokens.changed_tokens(alleles),
            starts,
            view.tokens,
        )

    def _effects(self, group: WindowGroup) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings (windows, bins, dim) of a group's windows, and effects (alleles, bins, dim) of its alleles."""
        if self._backbone.precision != "float32":
            return self._propagated(group)
        tokens = group.windows.shape[1]

        def alternative(part: slice) -> Tensor:
            windows = group.windows[torch.from_numpy(group.owner[part]).to(group.windows.device)]
            for window, (first, changed) in zip(windows, group.edits(part), strict=True):
                window[first : first + len(changed)] = changed
            return self._backbone.trunk(windows, group.bins, like).cpu()

        like = group.windows[0] if len(group.windows) == 1 and not self._views[0].tokens.plain else None
        embedded = self._batches(
            lambda part: self._backbone.trunk(group.windows[part], group.bins, like).cpu(), len(group.windows), tokens
        )
        others = self._batches(alternative, len(group.index), tokens)
        references = torch.cat(embedded)
        return references.numpy(), (torch.cat(others) - references[group.owner]).numpy()

    def _propagated(self, group: WindowGroup) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        engine = self._backbone.differences()
        embedded, effects = [], []
        for number, window in enumerate(group.windows):
            reference = engine.reference(window, group.bins)
            embedded.append(reference.embedding.cpu())
            first, last = np.searchsorted(group.owner, [number, number + 1]).tolist()

            def differences(part: slice, reference: Reference = reference, first: int = first) -> Tensor:
                return engine.difference(reference, group.edits(slice(first + part.start, first + part.stop))).cpu()

            effects += self._batches(differences, last - first, len(window))
        return torch.stack(embedded).numpy(), torch.cat(effects).numpy()


def _forward_strand(
    sequences: LocusSequences, backbone: Backbone, settings: WindowSettings, tokens: WindowTokens
) -> _Strand:
    rows = np.arange(len(sequences.variant_id))
    bins = backbone.context_length // backbone.bin_size
    crop = (bins - backbone.target_bins) // 2
    first = crop + sequences.first_bin(rows, backbone.bin_size, backbone.target_bins, settings.centre_bins)
    left = sequences.left_bins(rows, backbone.bin_size) if settings.indels == "stitch" else np.full(len(rows), bins)
    inserted = [codes_of(str(text)) for text in sequences.inserted]
    return _Strand(tokens, sequences.offset, sequences.site, sequences.removed, inserted, first, left)


def _reverse_strand(forward: _Strand, backbone: Backbone, count: int, cache_bytes: int) -> _Strand:
    """The same windows, alleles and bins on the reverse complement, where left is right."""
    length, bins = len(forward.tokens.codes), backbone.context_length // backbone.bin_size
    return _Strand(
        WindowTokens(reverse_complement(forward.tokens.codes), backbone, cache_bytes),
        length - forward.start - backbone.context_length,
        length - forward.site - forward.removed,
        forward.removed,
        [reverse_complement(codes) for codes in forward.inserted],
        bins - forward.first_bin - count,
        bins - forward.left_bins,
    )
