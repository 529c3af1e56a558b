"""Embeddings of variants (both alleles, both strands) and of the bins of training regions.

torch is imported where it computes: a rule that only reads embeddings starts without it.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path
from fineprior.foundation.settings import WindowSettings
from fineprior.genetics.genome import Genome
from fineprior.sequence.tracks import bin_starts
from fineprior.sequence.windows import SCORED, LocusSequences, one_hot

if TYPE_CHECKING:
    from fineprior.model.backbone import Backbone

logger = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 10


@dataclass(frozen=True)
class VariantEmbeddings:
    """Embeddings of the bins around variants.

    Attributes
    ----------
    variant_id, status
        Text arrays (variants,).
    reference, difference
        float32 (variants, strands, centre_bins, dim): the reference allele's embedding, and the alternative's minus
        the reference's. Strand 0 is forward, 1 the reverse complement, whose bins are in forward order. Zero where
        the status is not `scored`.
    backbone, bin_size
        Digest of the backbone, width of its bins (bp).
    """

    variant_id: NDArray[np.str_]
    status: NDArray[np.str_]
    reference: NDArray[np.float32]
    difference: NDArray[np.float32]
    backbone: str
    bin_size: int


@dataclass(frozen=True)
class RegionEmbeddings:
    """Embeddings of the target bins of training regions, region by region.

    Attributes
    ----------
    chrom, start, split
        (bins,) chromosome, first base (0-based) and split (train, valid, test) of each bin.
    embedding
        float32 (bins, dim), forward strand.
    backbone, bin_size
        Digest of the backbone, width of a bin (bp).
    """

    chrom: NDArray[np.str_]
    start: NDArray[np.int64]
    split: NDArray[np.str_]
    embedding: NDArray[np.float32]
    backbone: str
    bin_size: int


def embed_alleles(
    sequences: LocusSequences, backbone: "Backbone", settings: WindowSettings, batch_size: int, threads: int = 1
) -> VariantEmbeddings:
    """Embed both alleles of each variant, in `centre_bins` bins symmetric around the middle of its window.

    Alternative alleles at one position share the reference window of their batch.

    Parameters
    ----------
    batch_size
        Windows in one forward pass; about 16 windows of 2 kb are best for one CPU core.

    Raises
    ------
    InputError
        `centre_bins` cannot be read symmetrically, or the sequences are of another context length.
    """
    import torch

    torch.set_num_threads(threads)
    margin, odd = divmod(backbone.target_bins - settings.centre_bins, 2)
    if settings.centre_bins < 1 or margin < 0 or odd:
        raise InputError(
            f"windows.centre_bins: {settings.centre_bins} of {backbone.target_bins} target bins; it must be from 1 to "
            f"{backbone.target_bins} and leave as many bins at the left as at the right"
        )
    if sequences.context_length != backbone.context_length:
        raise InputError(
            f"sequences have windows of {sequences.context_length} bp, the backbone {backbone.context_length} bp"
        )
    centre = slice(margin, margin + settings.centre_bins)
    strands = 1 + settings.reverse_complement
    shape = (len(sequences.variant_id), strands, settings.centre_bins, backbone.dim)
    reference, difference = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    scored = np.flatnonzero(sequences.status == SCORED)
    for part in batches(len(scored), max(1, batch_size // 2), "variants"):
        rows = scored[part]
        _, first, window = np.unique(sequences.offset[rows], return_index=True, return_inverse=True)
        codes = np.concatenate([sequences.reference(rows[first]), sequences.alternative(rows)])
        embedded = _embed_strands(codes, backbone, strands, centre)
        reference[rows] = embedded[: len(first)][window]
        difference[rows] = embedded[len(first) :] - reference[rows]
    return VariantEmbeddings(
        sequences.variant_id, sequences.status, reference, difference, backbone.digest, backbone.bin_size
    )


def _embed_strands(codes: NDArray[np.uint8], backbone: "Backbone", strands: int, bins: slice) -> NDArray[np.float32]:
    """Embed windows (windows, length) of codes as (windows, strands, bins, dim)."""
    import torch

    forward = torch.from_numpy(one_hot(codes))
    embedded = [backbone.embed(forward)]
    if strands == 2:
        # Bases are complemented by reversing the last axis: A, C, G, T becomes T, G, C, A.
        embedded.append(backbone.embed(forward.flip(1, 2)).flip(1))
    stacked: NDArray[np.float32] = torch.stack(embedded, 1)[:, :, bins].numpy()
    return stacked


def embed_regions(
    genome: Genome, regions: pd.DataFrame, backbone: "Backbone", batch_size: int, threads: int = 1
) -> RegionEmbeddings:
    """Embed the target bins of training regions (columns chrom, start, end, split; see `read_regions`).

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome has not.
    """
    import torch

    torch.set_num_threads(threads)
    starts = bin_starts(regions, backbone.bin_size, backbone.target_bins)
    chroms = regions["chrom"].to_numpy(dtype=np.str_)
    _check_inside(genome, chroms, starts, backbone.bin_size)
    embedding = np.empty((len(regions), backbone.target_bins, backbone.dim), np.float32)
    for part in batches(len(regions), batch_size, "regions"):
        embedding[part] = backbone.embed(torch.from_numpy(one_hot(region_codes(genome, regions.iloc[part])))).numpy()
    return RegionEmbeddings(
        np.repeat(chroms, backbone.target_bins),
        starts.ravel(),
        np.repeat(regions["split"].to_numpy(dtype=np.str_), backbone.target_bins),
        embedding.reshape(-1, backbone.dim),
        backbone.digest,
        backbone.bin_size,
    )


def region_codes(genome: Genome, regions: pd.DataFrame) -> NDArray[np.uint8]:
    """Codes (regions, length) of regions of one length."""
    columns = zip(regions["chrom"], regions["start"], regions["end"], strict=True)
    return np.stack([genome.codes(chrom, int(start), int(end)) for chrom, start, end in columns])


def _check_inside(genome: Genome, chroms: NDArray[np.str_], starts: NDArray[np.int64], bin_size: int) -> None:
    lengths = np.array([genome.contigs[genome.resolve(chrom)] for chrom in chroms.tolist()], np.int64)
    outside = (starts[:, 0] < 0) | (starts[:, -1] + bin_size > lengths)
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"regions: the target bins of {int(outside.sum())} regions reach beyond their contig in {genome.path}, the "
            f"first at {chroms[row]}:{starts[row, 0]}-{starts[row, -1] + bin_size} of {lengths[row]} bp"
        )


def batches(count: int, size: int, what: str) -> Iterator[slice]:
    """Slices of `size` that cover `count` things, with a line on the progress about every ten seconds."""
    begin = spoken = time.monotonic()
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
        done, now = min(start + size, count), time.monotonic()
        if now - spoken > _SECONDS_BETWEEN_LINES:
            spoken = now
            rate = done / (now - begin)
            logger.info("%d of %d %s, %.1f per second, %.0f s left", done, count, what, rate, (count - done) / rate)
    logger.info("%d %s in %.1f s", count, what, time.monotonic() - begin)


def write_embeddings(embeddings: VariantEmbeddings | RegionEmbeddings, path: str | Path) -> None:
    """Write as npz; the same embeddings give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(embeddings))


def read_variant_embeddings(path: str | Path) -> VariantEmbeddings:
    """Read embeddings of variants as `write_embeddings` wrote them."""
    return VariantEmbeddings(**_read(path))


def read_region_embeddings(path: str | Path) -> RegionEmbeddings:
    """Read embeddings of training regions as `write_embeddings` wrote them."""
    return RegionEmbeddings(**_read(path))


def _read(path: str | Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        fields: dict[str, Any] = {name: arrays[name] for name in arrays.files}
    return fields | {"backbone": str(fields["backbone"]), "bin_size": int(fields["bin_size"])}
