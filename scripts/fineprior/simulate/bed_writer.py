"""Write a panel of the embedded study as PLINK 1 files: `<prefix>.bed`, `.bim`, `.fam`.

The .bed file holds one variant after another, four samples in a byte, the first in the lowest two bits: 00 two copies
of A1, 01 missing, 10 one copy, 11 none (https://www.cog-genomics.org/plink/1.9/formats#bed). pgenlib writes .pgen only.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.whole import atomic_path

_MAGIC = b"\x6c\x1b\x01"
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]


def write_panel(
    prefix: str | Path, variants: pd.DataFrame, chunks: Iterable[NDArray[np.int8]], people: list[str] | None = None
) -> None:
    """Write PLINK .bed, .bim and .fam.

    Parameters
    ----------
    prefix
        Path without suffix.
    variants
        Columns chrom, pos, snp_id, a1, a2: one row for each column of the chunks.
    chunks
        Arrays (n, k) of copies of A1: 0, 1, 2, or -1 for missing; consecutive runs of variants.
    people
        Names of the n people; 1, 2, ... when None.

    Raises
    ------
    ValueError
        If the chunks do not fit one another or `variants`.
    """
    code_of_copies = np.array([3, 2, 0, 1], np.uint8)  # of 0, 1, 2 and (index -1) missing
    written, samples = 0, len(people) if people is not None else -1
    with atomic_path(f"{prefix}.bed") as bed, atomic_path(f"{prefix}.bim") as bim, atomic_path(f"{prefix}.fam") as fam:
        with bed.open("wb") as handle:
            handle.write(_MAGIC)
            for chunk in chunks:
                samples = len(chunk) if samples < 0 else samples
                if len(chunk) != samples or not np.isin(chunk, [-1, 0, 1, 2]).all():
                    raise ValueError(f"chunk of shape {chunk.shape}: needs {samples} rows of -1, 0, 1, 2")
                codes = np.zeros((chunk.shape[1], (samples + 3) // 4 * 4), np.uint8)
                codes[:, :samples] = code_of_copies[chunk.T]
                grouped = codes.reshape(len(codes), (samples + 3) // 4, 4) << np.array([0, 2, 4, 6], np.uint8)
                handle.write(np.bitwise_or.reduce(grouped, axis=2).tobytes())
                written += len(codes)
        if written != len(variants):
            raise ValueError(f"{written} variants in the chunks, {len(variants)} in the table")
        variants.assign(cm=0)[_BIM].to_csv(bim, sep="\t", header=False, index=False)
        names = people if people is not None else [str(i + 1) for i in range(samples)]
        fam.write_text("".join(f"{name}\t{name}\t0\t0\t0\t-9\n" for name in names))
