"""A genome, two tracks that a toy Enformer learns, and their regions; and the training of a head on them."""

import numpy as np
import pyBigWig

from fineprior.project.settings import HeadSettings, TrackSettings
from fineprior.steps.train_head import embed_regions, train_head
from toy_enformer import BIN_SIZE, CONTEXT, save_toy, toy_settings

REGIONS = 60
SETTINGS = HeadSettings(epochs=5, batch_bins=64)
SHEET = {"targets": [vars(TrackSettings())] * 2, "weights": [1.0, 1.0], "strand_pairs": ["", ""]}


def write_study(folder):
    """Two tracks: GC content of each bin, and twice its A content. Returns the folder and the backbone's settings."""
    rng = np.random.default_rng(1)
    length = REGIONS * CONTEXT
    gc = np.repeat(rng.uniform(0.2, 0.8, length // BIN_SIZE), BIN_SIZE)
    codes = np.where(rng.random(length) < gc, rng.integers(1, 3, length), 3 * rng.integers(0, 2, length))
    (folder / "genome.fa").write_text(">chr1\n" + "".join("ACGT"[code] for code in codes) + "\n")
    starts = list(range(0, length, BIN_SIZE))
    bins = codes.reshape(-1, BIN_SIZE)
    for name, values in (("gc", (bins % 3 > 0).mean(1)), ("a", 2 * (bins == 0).mean(1))):
        with pyBigWig.open(str(folder / f"{name}.bw"), "w") as track:
            track.addHeader([("chr1", length)])
            track.addEntries(["chr1"] * len(starts), starts, ends=[s + BIN_SIZE for s in starts],
                             values=values.astype(float).tolist())  # fmt: skip
    splits = np.repeat(["train", "valid", "test"], [REGIONS - 20, 10, 10])
    lines = [f"chr1\t{i * CONTEXT}\t{(i + 1) * CONTEXT}\t{split}" for i, split in enumerate(splits)]
    (folder / "regions.bed").write_text("\n".join(lines) + "\n")
    settings = save_toy(folder / "toy")
    embed_regions(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"),
                  output=str(folder / "regions.npz"), store=str(folder / "store"), backbone=settings, batch_size=16,
                  threads=1)  # fmt: skip
    return folder, settings


def inputs(folder):
    return {"embeddings": str(folder / "regions.npz"), "bigwigs": [str(folder / "gc.bw"), str(folder / "a.bw")],
            "tracks": ["gc", "a"], "settings": SETTINGS, "sheet": SHEET, "store": str(folder / "store"),
            "seed": 1}  # fmt: skip


def train(folder, out, **changes):
    paths = {name: str(folder / f"{out}.{name}") for name in ("head", "metrics.tsv", "history.tsv")}
    outputs = {name.split(".")[0]: path for name, path in paths.items()}
    train_head(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"), outputs=outputs,
               backbone=toy_settings(folder / "toy"), **inputs(folder) | changes)  # fmt: skip
    return paths
