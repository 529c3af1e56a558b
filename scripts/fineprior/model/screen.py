"""A first-order look at all variants of a locus, which leaves the exact engine for those that can matter.

Tokens of an alternative allele are exact; how the transformer carries their change d to the embedding e of the bins
that are read is linearised around the reference window, once for all variants that read the same bins of one window.
With directions v_t in the embedding, random signs s_rbt and e_b the embedding of bin b,

    magnitude² = 1/R Σ_r ( Σ_tokens d · ∂(Σ_bt s_rbt v_t · e_b) / ∂tokens )²

is an unbiased estimate of Σ_bt (v_t · change of e_b)² in first order (Hutchinson 1989): R gradients of a window instead
of one for each track. Directions are by default the weights of the backbone's own tracks, so that what is embedded
depends on genome, variants and backbone alone; those of a head keep more of the variants that this head scores high.
The magnitude ranks; it is never reported as a score.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.model.tokens import Edit

if TYPE_CHECKING:
    from fineprior.model.backbone import Backbone
    from fineprior.model.delta import AlleleEmbedder, WindowGroup

PROBES = 16
"""R: the magnitude's relative standard error is then about 1 / sqrt(2 R), 18%, if no direction dominates."""
_SEED = 5


def worth_scoring(
    embedder: "AlleleEmbedder",
    backbone: "Backbone",
    rows: NDArray[np.int64],
    locus: NDArray[np.int64],
    share: float,
    probes: int = PROBES,
    directions: Tensor | None = None,
) -> NDArray[np.bool_]:
    """Which variants (rows,) are among the `share` of largest first-order magnitude of their locus, rounded up.

    Parameters
    ----------
    rows, locus
        Variants, and a number of the locus that each is in: which are chosen depends on the locus's variants alone.
    probes, directions
        See `first_order_magnitudes`.
    """
    return largest_of_each(first_order_magnitudes(embedder, backbone, rows, probes, directions), locus, share)


def largest_of_each(magnitude: NDArray[np.float64], locus: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which (rows,) are among the `share` of largest magnitude of their locus, rounded up."""
    chosen = np.zeros(len(magnitude), np.bool_)
    for number in np.unique(locus):
        members = np.flatnonzero(locus == number)
        largest = np.argsort(-magnitude[members], kind="stable")[: int(np.ceil(share * len(members)))]
        chosen[members[largest]] = True
    return chosen


def first_order_magnitudes(
    embedder: "AlleleEmbedder",
    backbone: "Backbone",
    rows: NDArray[np.int64],
    probes: int = PROBES,
    directions: Tensor | None = None,
) -> NDArray[np.float64]:
    """Magnitudes (rows,) of linearised effects, over strands and the bins that are read.

    Parameters
    ----------
    probes
        R: gradients of each window.
    directions
        (tracks, dim), those of the backbone's own tracks when there are none.
    """
    directions = backbone.track_weights if directions is None else directions
    squares = np.zeros(len(rows))
    for strand in range(embedder.strands):
        for group in embedder.groups(rows, strand):
            # An insertion or deletion that is stitched adds the bins at its left and those at its right.
            np.add.at(squares, group.index, _group_squares(group, backbone, probes, directions))
    return np.sqrt(squares)


def _group_squares(group: "WindowGroup", backbone: "Backbone", probes: int, directions: Tensor) -> NDArray[np.float64]:
    """Squared magnitudes (alleles,) of a group's alleles."""
    squares = np.zeros(len(group.index))
    weights = _probes(probes, group.windows.shape[1], group.bins, directions.to(group.windows.device))
    for number, window in enumerate(group.windows):
        first, last = np.searchsorted(group.owner, [number, number + 1]).tolist()
        if first == last:
            continue
        patterns, pattern = np.unique(group.read[first:last], axis=0, return_inverse=True)
        masks = torch.from_numpy(patterns).to(window.device)
        gradients = backbone.gradients(window, group.bins, _masked(weights, masks))
        edits = group.edits(slice(first, last))
        for row, edit in enumerate(edits):
            change = first_order(gradients[int(pattern[row]) * probes :][:probes], window, edit)
            squares[first + row] = float(change.square().mean())
    return squares


def first_order(gradients: Tensor, reference: Tensor, edit: Edit) -> Tensor:
    """First-order changes (sums,) by an edit of reference tokens (T, width), from `gradients` (sums, T, width)."""
    first, new = edit
    rows = slice(first, first + len(new))
    return torch.einsum("rtd,td->r", gradients[:, rows], new - reference[rows])


def _masked(weights: Tensor, masks: Tensor) -> Tensor:
    """Probes (masks * probes, bins, dim) that see only the bins of each mask."""
    return (masks[:, None, :, None] * weights).flatten(0, 1)


def _probes(count: int, tokens: int, bins: slice, directions: Tensor) -> Tensor:
    """Random sums (count, bins, dim) of directions, of a bin the same in each window and run."""
    signs = torch.randint(2, (tokens, count, len(directions)), generator=torch.Generator().manual_seed(_SEED))
    return (2.0 * signs[bins] - 1).transpose(0, 1).to(directions) @ directions
