"""Embeddings of training regions as a file: never all in memory, and those that are done outlast a killed job."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.files import atomic_path
from fineprior.genetics.genome import Genome
from fineprior.model.embeddings import bins_of_regions, embedded_batches

if TYPE_CHECKING:
    from fineprior.model.backbone import Backbone


def cache_regions(
    path: str | Path,
    genome: Genome,
    regions: pd.DataFrame,
    backbone: "Backbone",
    batch_size: int,
    threads: int,
    folder: Path,
) -> None:
    """Write what `embed_regions` gives as `write_embeddings` would, batch by batch.

    Each batch is first a file of its own in `folder`, which another run with the same input goes on from; so the disk
    holds everything twice for as long as the last step takes.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome has not.
    """
    columns = bins_of_regions(genome, regions, backbone)
    parts = [folder / f"part-{number:06d}.npy" for number in range(-(-len(regions) // batch_size))]
    done = next((number for number, part in enumerate(parts) if not part.is_file()), len(parts))
    rest = embedded_batches(genome, regions, backbone, batch_size, threads, min(done * batch_size, len(regions)))
    for part, embedding in zip(parts[done:], rest, strict=True):
        with atomic_path(part) as temporary:
            np.save(temporary, embedding, allow_pickle=False)
    shape = (len(columns["start"]), backbone.dim)
    order = ("chrom", "start", "split", "embedding", "backbone", "bin_size")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in order:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if name == "embedding":
                    _write_parts(member, parts, shape)
                else:
                    np.lib.format.write_array(member, np.asanyarray(columns[name]), allow_pickle=False)


def _write_parts(member: Any, parts: list[Path], shape: tuple[int, int]) -> None:
    """Write an array that lies in several files as one."""
    empty: NDArray[np.float32] = np.empty(0, np.float32)
    header = np.lib.format.header_data_from_array_1_0(empty) | {"shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    for part in parts:
        member.write(np.load(part, allow_pickle=False).tobytes())
