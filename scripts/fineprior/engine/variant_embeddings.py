"""Embeddings of variants, both alleles on both strands, computed or taken from the store; and their file.

The way of a variant: its tokens and those of its window (`tokens`) go through the backbone's transformer
(`allele_embedder`), in blocks that the store keeps (`store`). With a screen, only variants that can matter go that way
(`screen`). torch is imported where it computes: a rule that only reads embeddings starts without it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.project.settings import WindowSettings
from fineprior.sequence.windows import SCORED, SCREENED, LocusSequences

if TYPE_CHECKING:
    from fineprior.engine.backbone import Backbone
    from fineprior.engine.region_embeddings import RegionEmbeddings
    from fineprior.engine.store import Store


@dataclass(frozen=True)
class VariantEmbeddings(ReadOnly):
    """Embeddings of the bins around variants.

    Attributes
    ----------
    variant_id, status
        Text arrays (variants,).
    reference, difference
        float32 (variants, views, centre_bins, dim): the reference allele's embedding, and the alternative's minus
        the reference's. A view is a strand of a window: forward, then reverse complement (its bins in forward order),
        of each moved window. Zero where the status is not `scored`.
    backbone, bin_size
        Digest of the backbone, width of its bins (bp).
    """

    variant_id: NDArray[np.str_]
    status: NDArray[np.str_]
    reference: NDArray[np.float32]
    difference: NDArray[np.float32]
    backbone: str
    bin_size: int


def embed_alleles(
    sequences: LocusSequences,
    backbone: "Backbone",
    settings: WindowSettings,
    batch_size: int = 0,
    threads: int = 1,
    store: "Store | None" = None,
) -> VariantEmbeddings:
    """Embed both alleles of each variant, in `centre_bins` bins around it.

    A view is one strand of one window: with `shift`, windows moved by 0, -shift and +shift bases; with
    `reverse_complement`, both strands of each. With `screen` below 1, variants that the screen expects to do least get
    the status `screened` and no embedding; which ones depends on their locus alone.

    Parameters
    ----------
    batch_size
        Windows in one forward pass; 0 chooses it.
    store
        Where finished embeddings are kept; without one all are computed.

    Raises
    ------
    InputError
        The settings do not fit the backbone, the sequences are of another context length, or there is no space left.
    """
    from fineprior.engine.allele_embedder import AlleleEmbedder
    from fineprior.engine.screen import worth_scoring
    from fineprior.engine.store import in_blocks, variant_keys

    _check_windows(backbone, settings)
    embedder = AlleleEmbedder(sequences, backbone, settings, batch_size, threads)
    shape = view_shape(backbone, settings)
    reference, difference = (np.zeros((len(sequences.variant_id), *shape), np.float32) for _ in range(2))
    rows = np.flatnonzero(sequences.status == SCORED)
    status = sequences.status
    if settings.screen < 1:
        kept = worth_scoring(embedder, backbone, rows, sequences.origin[rows], settings.screen)
        status = np.where(np.isin(np.arange(len(status)), rows[~kept]), SCREENED, status)
        rows = rows[kept]
    scored = embedder.order(rows)
    keys = variant_keys(sequences, scored, settings.shift)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    distinct = np.sort(first)  # in the order of the work
    finished = in_blocks(keys[distinct], shape, lambda index: embedder.embed(scored[distinct[index]]), store)
    place = np.searchsorted(distinct, first)[same]
    reference[scored], difference[scored] = (embedded[place] for embedded in finished)
    turned = sequences.swapped
    reference[turned] += difference[turned]
    difference[turned] *= -1
    return VariantEmbeddings(sequences.variant_id, status, reference, difference, backbone.digest, backbone.bin_size)


def view_shape(backbone: "Backbone", settings: WindowSettings) -> tuple[int, int, int]:
    """Shape (views, centre_bins, dim) of the embedding of one allele."""
    views = (1 + settings.reverse_complement) * (3 if settings.shift else 1)
    return views, settings.centre_bins, backbone.dim


def _check_windows(backbone: "Backbone", settings: WindowSettings) -> None:
    if settings.max_offset % max(backbone.bin_size // 2, 1):
        raise InputError(
            f"windows.max_offset: {settings.max_offset} is not a multiple of half a bin ({backbone.bin_size // 2} bp)"
        )
    if 2 * settings.shift >= backbone.bin_size:
        raise InputError(f"windows.shift: {settings.shift} must be less than half a bin ({backbone.bin_size // 2} bp)")


def write_embeddings(embeddings: "VariantEmbeddings | RegionEmbeddings", path: str | Path) -> None:
    """Write as npz; the same embeddings give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(embeddings))


def read_variant_embeddings(path: str | Path) -> VariantEmbeddings:
    """Read what `write_embeddings` wrote; an InputError where the file is damaged."""
    with checked(path, "a file of embeddings"), np.load(path, allow_pickle=False) as arrays:
        fields: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        return VariantEmbeddings(**fields | {"backbone": str(fields["backbone"]), "bin_size": int(fields["bin_size"])})
