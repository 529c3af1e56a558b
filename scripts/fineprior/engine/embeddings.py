"""Embeddings of variants (both alleles, both strands) and of the bins of training regions.

torch is imported where it computes: a rule that only reads embeddings starts without it.
"""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.logs import Progress
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import Genome
from fineprior.project.settings import WindowSettings
from fineprior.sequence.tracks import bin_starts
from fineprior.sequence.windows import SCORED, SCREENED, LocusSequences, one_hot

if TYPE_CHECKING:
    from fineprior.engine.backbone import Backbone
    from fineprior.engine.store import Store


@dataclass(frozen=True)
class VariantEmbeddings:
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
    from fineprior.engine.delta import AlleleEmbedder
    from fineprior.engine.screen import worth_scoring
    from fineprior.engine.store import in_blocks, variant_keys
    from fineprior.engine.tokens import CACHE_BYTES

    _check_windows(backbone, settings)
    shifts = (0, -settings.shift, settings.shift) if settings.shift else (0,)
    cache_bytes = CACHE_BYTES // len(shifts)
    embedders = [
        AlleleEmbedder(sequences.moved(shift), backbone, settings, batch_size, threads, cache_bytes) for shift in shifts
    ]

    def compute(rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found = zip(*(embedder.embed(rows) for embedder in embedders), strict=True)
        reference, difference = (np.concatenate(views, axis=1) for views in found)
        return reference, difference

    shape = view_shape(backbone, settings)
    reference, difference = (np.zeros((len(sequences.variant_id), *shape), np.float32) for _ in range(2))
    rows = np.flatnonzero(sequences.status == SCORED)
    status = sequences.status
    if settings.screen < 1:
        kept = worth_scoring(embedders[0], backbone, rows, sequences.origin[rows], settings.screen)
        status = np.where(np.isin(np.arange(len(status)), rows[~kept]), SCREENED, status)
        rows = rows[kept]
    scored = embedders[0].order(rows)
    keys = variant_keys(sequences, scored, settings.shift)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    distinct = np.sort(first)  # in the order of the work
    finished = in_blocks(keys[distinct], shape, lambda index: compute(scored[distinct[index]]), store)
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


def embed_regions(
    genome: Genome, regions: pd.DataFrame, backbone: "Backbone", batch_size: int, threads: int = 1
) -> RegionEmbeddings:
    """Embed the target bins of training regions (columns chrom, start, end, split; see `read_regions`).

    All are held in memory; `region_cache.cache_regions` writes them to a file instead.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome has not.
    """
    columns = bins_of_regions(genome, regions, backbone)
    embedding, filled = np.empty((len(columns["start"]), backbone.dim), np.float32), 0
    for part in embedded_batches(genome, regions, backbone, batch_size, threads):
        embedding[filled : filled + len(part)] = part
        filled += len(part)
    return RegionEmbeddings(**columns, embedding=embedding)


def bins_of_regions(genome: Genome, regions: pd.DataFrame, backbone: "Backbone") -> dict[str, Any]:
    """Fields of RegionEmbeddings but the embedding.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome has not.
    """
    starts = bin_starts(regions, backbone.bin_size, backbone.target_bins)
    chroms = regions["chrom"].to_numpy(dtype=np.str_)
    _check_inside(genome, chroms, starts, backbone.bin_size)
    split = np.repeat(regions["split"].to_numpy(dtype=np.str_), backbone.target_bins)
    return {"chrom": np.repeat(chroms, backbone.target_bins), "start": starts.ravel(), "split": split,
            "backbone": backbone.digest, "bin_size": backbone.bin_size}  # fmt: skip


def embedded_batches(
    genome: Genome, regions: pd.DataFrame, backbone: "Backbone", batch_size: int, threads: int = 1
) -> Iterator[NDArray[np.float32]]:
    """Embeddings (bins, dim) of the target bins of regions, `batch_size` regions at a time."""
    import torch

    torch.set_num_threads(threads)
    for part in batches(len(regions), batch_size, "regions"):
        yield embedded_batch(genome, regions.iloc[part], backbone)


def embedded_batch(genome: Genome, regions: pd.DataFrame, backbone: "Backbone") -> NDArray[np.float32]:
    """Embeddings (bins, dim) of the target bins of regions that go through the backbone together."""
    import torch

    codes = region_codes(genome, regions)
    return backbone.embed(torch.from_numpy(one_hot(codes))).numpy().reshape(-1, backbone.dim)


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
    """Slices of `size` that cover `count` things, with lines on the progress."""
    progress = Progress(count, what)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
        progress.advance(min(size, count - start))
    progress.finish()


def write_embeddings(embeddings: VariantEmbeddings | RegionEmbeddings, path: str | Path) -> None:
    """Write as npz; the same embeddings give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(embeddings))


def read_variant_embeddings(path: str | Path) -> VariantEmbeddings:
    """Read embeddings of variants as `write_embeddings` wrote them."""
    return VariantEmbeddings(**_read(path))


def read_region_embeddings(path: str | Path) -> RegionEmbeddings:
    """Read embeddings of training regions as `write_embeddings` wrote them.

    The embedding itself stays in the file until it is looked at: the published Enformer's of 38,171 regions are 420 GB.
    """
    return RegionEmbeddings(**_read(path, in_file="embedding"))


def _read(path: str | Path, in_file: str = "") -> dict[str, Any]:
    with checked(path, "a file of embeddings"):
        with np.load(path, allow_pickle=False) as arrays:
            fields: dict[str, Any] = {name: arrays[name] for name in arrays.files if name != in_file}
        if in_file:
            fields[in_file] = _mapped(path, in_file)
        return fields | {"backbone": str(fields["backbone"]), "bin_size": int(fields["bin_size"])}


def _mapped(path: str | Path, name: str) -> NDArray[Any]:
    """An array where it lies in an npz, which does not compress; read-only."""
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo(f"{name}.npy").header_offset
    with Path(path).open("rb") as file:
        # The local header of a zip archive's member: 30 bytes, of which the last four are the lengths of what follows.
        file.seek(begin + 26)
        lengths = struct.unpack("<HH", file.read(4))
        file.seek(begin + 30 + sum(lengths))
        np.lib.format.read_magic(file)
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        return np.asarray(np.memmap(file, kind, "r", file.tell(), shape))
