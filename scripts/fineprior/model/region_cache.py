"""Embeddings of training regions as a file: never all in memory, and those that are done outlast a killed job."""

import logging
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path
from fineprior.foundation.integrity import check_shared
from fineprior.foundation.logs import Progress
from fineprior.foundation.reading import reading
from fineprior.genetics.genome import Genome
from fineprior.model.embeddings import bins_of_regions, embedded_batch

if TYPE_CHECKING:
    from fineprior.model.backbone import Backbone

logger = logging.getLogger(__name__)


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

    Each batch is first a file of its own in `folder`, which another run with the same input goes on from (two at once
    share them); one that is damaged when it is read is computed again. The disk holds everything twice for as long as
    the last step takes.

    Raises
    ------
    InputError
        Target bins beyond the end of a contig, or a contig that the genome has not.
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
        check_shared(part)
        with reading(part, "a part of the embeddings"):
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
