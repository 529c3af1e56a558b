"""A fast first pass over the variants of a locus: only the likely ones go to the exact engine.

A variant's tokens are exact; in the transformer the edited tokens and the bins that are read change, around all other
tokens as they are in the reference window (`DifferenceTransformer.local_difference`). What is ignored reaches the bins
by way of other tokens. The magnitude

    sqrt( Σ_bt (v_t · change of the embedding of bin b)² ),   summed over strands,

ranks; it is never reported as a score. Directions v_t are by default the weights of the tracks that the backbone itself
predicts, so that what is embedded depends on genome, variants and backbone alone; those of a head keep more of the
variants that this head scores high.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.engine.difference import Edit

if TYPE_CHECKING:
    from fineprior.engine.allele_embedder import AlleleEmbedder
    from fineprior.engine.backbone import Backbone

_ALLELES = 64
"""Looked at together."""
_UNCHANGED = 1e-4
"""Of the standard deviation of a window's tokens: ten times their float noise."""


def worth_scoring(
    embedder: "AlleleEmbedder",
    backbone: "Backbone",
    rows: NDArray[np.int64],
    locus: NDArray[np.int64],
    share: float,
    directions: Tensor | None = None,
) -> NDArray[np.bool_]:
    """Which variants (rows,) are among the `share` of largest magnitude of their locus, rounded up.

    Parameters
    ----------
    rows, locus
        Variants, and a number of the locus that each is in: which are chosen depends on the locus's variants alone.
    directions
        See `magnitudes`.
    """
    return largest_of_each(magnitudes(embedder, backbone, rows, directions), locus, share)


def largest_of_each(magnitude: NDArray[np.float64], locus: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which (rows,) are among the `share` of largest magnitude of their locus, rounded up."""
    chosen = np.zeros(len(magnitude), np.bool_)
    for number in np.unique(locus):
        members = np.flatnonzero(locus == number)
        largest = np.argsort(-magnitude[members], kind="stable")[: int(np.ceil(share * len(members)))]
        chosen[members[largest]] = True
    return chosen


def magnitudes(
    embedder: "AlleleEmbedder", backbone: "Backbone", rows: NDArray[np.int64], directions: Tensor | None = None
) -> NDArray[np.float64]:
    """Magnitudes (rows,) of approximate effects, over strands and the bins that are read.

    Parameters
    ----------
    directions
        (tracks, dim), those of the backbone's own tracks when there are none.
    """
    directions = (backbone.track_weights if directions is None else directions).to(backbone.device)
    engine = backbone.differences()
    squares = np.zeros(len(rows))
    for strand in range(embedder.strands):
        for group in embedder.groups(rows, strand):
            for number, window in enumerate(group.windows):
                first, last = np.searchsorted(group.owner, [number, number + 1]).tolist()
                reference = engine.reference(window, group.bins)
                for start in range(first, last, _ALLELES):
                    part = slice(start, min(start + _ALLELES, last))
                    edits = [trimmed(edit, window) for edit in group.edits(part)]
                    effects = engine.local_difference(reference, edits) @ directions.T
                    read = torch.from_numpy(group.read[part]).to(effects.device)
                    found = (effects.square().sum(-1) * read).sum(-1).cpu().numpy()
                    # An insertion or deletion that is stitched is there twice, with bins at its left and at its right.
                    np.add.at(squares, group.index[part], found)
    return np.sqrt(squares)


def trimmed(edit: Edit, window: Tensor) -> Edit:
    """An edit of a window's tokens (T, width) without the tokens at its ends that do not change but for float noise."""
    first, new = edit
    moved = (new - window[first : first + len(new)]).abs().amax(-1) > _UNCHANGED * window.std()
    changed = moved.nonzero()[:, 0].tolist() or [0]
    return first + changed[0], new[changed[0] : changed[-1] + 1]
