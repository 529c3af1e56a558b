"""Embeddings of the bins of training regions by the frozen backbone, in memory or in a file.

The file is never all in memory, and the batches that are done outlast a killed job. torch is imported where it
computes: a rule that only reads embeddings starts without it.
"""

import logging
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import check_shared, checked
from fineprior.files.logs import Progress
from fineprior.files.reading import reading
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import Genome
from fineprior.sequence.tracks import bin_starts
from fineprior.sequence.windows import one_hot

if TYPE_CHECKING:
    from fineprior.engine.backbone import Backbone

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegionEmbeddings(ReadOnly):
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


def embed_regions(
    genome: Genome, regions: pd.DataFrame, backbone: "Backbone", batch_size: int, threads: int = 1
) -> RegionEmbeddings:
    """Embed the target bins of training regions (columns chrom, start, end, split; see `read_regions`).

    All are held in memory; `cache_regions` writes them to a file instead.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome does not have.
    """
    import torch

    torch.set_num_threads(threads)
    columns = bins_of_regions(genome, regions, backbone)
    embedding, filled = np.empty((len(columns["start"]), backbone.dim), np.float32), 0
    for rows in batches(len(regions), batch_size, "regions"):
        part = embedded_batch(genome, regions.iloc[rows], backbone)
        embedding[filled : filled + len(part)] = part
        filled += len(part)
    return RegionEmbeddings(**columns, embedding=embedding)


def cache_regions(
    path: str | Path,
    genome: Genome,
    regions: pd.DataFrame,
    backbone: "Backbone",
    batch_size: int,
    threads: int,
    folder: Path,
) -> None:
    """Write what `embed_regions` gives, as `write_embeddings` would, batch by batch.

    Each batch is first a file of its own in `folder`, which another run with the same input goes on from (two at once
    share them); one that is damaged when it is read is computed again. The disk holds everything twice for as long as
    the last step takes.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome does not have.
    """
    import torch

    torch.set_num_threads(threads)
    columns = bins_of_regions(genome, regions, backbone)
    slices = [slice(start, min(start + batch_size, len(regions))) for start in range(0, len(regions), batch_size)]
    parts = [folder / f"part-{number:06d}.npy" for number in range(len(slices))]

    def computed(number: int) -> NDArray[np.float32]:
        embedding = embedded_batch(genome, regions.iloc[slices[number]], backbone)
        with atomic_path(parts[number], shared=True) as temporary:
            np.save(temporary, embedding, allow_pickle=False)
        return embedding

    progress = Progress(sum(s.stop - s.start for s, part in zip(slices, parts, strict=True) if not part.is_file()),
                        "regions")  # fmt: skip
    for number, part in enumerate(parts):
        if not part.is_file():  # nor has another job, with the same regions, written it meanwhile
            computed(number)
            progress.advance(slices[number].stop - slices[number].start)
    progress.finish()
    shape = (len(columns["start"]), backbone.dim)
    order = ("chrom", "start", "split", "embedding", "backbone", "bin_size")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in order:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if name == "embedding":
                    _write_header(member, shape)
                    for number, part in enumerate(parts):
                        member.write(_read(part, partial(computed, number)).tobytes())
                else:
                    np.lib.format.write_array(member, np.asanyarray(columns[name]), allow_pickle=False)


def _read(part: Path, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What a part holds; computed again where it is damaged, or gone."""
    try:
        with reading(part, "embeddings"):
            check_shared(part)
            embedding: NDArray[np.float32] = np.load(part, allow_pickle=False)
            return embedding
    except InputError as error:
        logger.warning("%s; it is computed again", str(error).partition(";")[0])
        return compute()


def _write_header(member: Any, shape: tuple[int, int]) -> None:
    """Write the header of an array that lies in several files."""
    empty: NDArray[np.float32] = np.empty(0, np.float32)
    header = np.lib.format.header_data_from_array_1_0(empty) | {"shape": shape}
    np.lib.format.write_array_header_1_0(member, header)


def bins_of_regions(genome: Genome, regions: pd.DataFrame, backbone: "Backbone") -> dict[str, Any]:
    """Fields of RegionEmbeddings but the embedding.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome does not have.
    """
    starts = bin_starts(regions, backbone.bin_size, backbone.target_bins)
    chroms = regions["chrom"].to_numpy(dtype=np.str_)
    _check_inside(genome, chroms, starts, backbone.bin_size)
    split = np.repeat(regions["split"].to_numpy(dtype=np.str_), backbone.target_bins)
    return {"chrom": np.repeat(chroms, backbone.target_bins), "start": starts.ravel(), "split": split,
            "backbone": backbone.digest, "bin_size": backbone.bin_size}  # fmt: skip


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


def read_region_embeddings(path: str | Path) -> RegionEmbeddings:
    """Read embeddings of training regions.

    The embedding itself stays in the file until it is used: the published Enformer's of 38,171 regions are 420 GB.

    Raises
    ------
    InputError
        The file is damaged.
    """
    with checked(path, "a file of embeddings"):
        with np.load(path, allow_pickle=False) as arrays:
            fields: dict[str, Any] = {name: arrays[name] for name in arrays.files if name != "embedding"}
        fields |= {"backbone": str(fields["backbone"]), "bin_size": int(fields["bin_size"])}
        return RegionEmbeddings(**fields, embedding=_mapped(path, "embedding"))


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
