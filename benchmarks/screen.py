"""How many of the variants that matter the screen leaves for the exact engine.

    python benchmarks/screen.py --project PROJECT

PROJECT is the folder of a finished run of the embedded study (`snakemake` in a clone, config.yaml as it is). Its
variants are embedded with the shipped backbone in windows that neighbours share, scored with the head of its disease,
and screened. Prints, for directions (the backbone's own tracks, which is what `windows.screen` uses; the tracks of that
head; each dimension of the embedding) and shares of each locus that are scored exactly, the share that is kept of the
1% of variants with the largest exact scores, and last `ratio NAME VALUE goal GOAL` lines.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import load_backbone
from fineprior.engine.screen import largest_of_each, magnitudes
from fineprior.engine.variant_embeddings import embed_alleles
from fineprior.files.tables import LOCUS_VARIANTS
from fineprior.genome.fasta import Genome
from fineprior.heads.head import load_head
from fineprior.heads.scores import score_table
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.sequence.windows import SCORED, locus_sequences

SHARES = (0.05, 0.1, 0.2)
TOP = 0.01
WINDOWS = WindowSettings(max_offset=448)


def main() -> None:
    """Embed, screen, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=0, help="only the first so many; 0 for all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    project = arguments.project
    settings = BackboneSettings(
        weights=str(Path(__file__).parents[1] / "resources/backbone"), context_length=2048, target_bins=16
    )
    backbone = load_backbone(settings)
    head = load_head(project / "results/heads/disease/head.safetensors")
    files = sorted((project / "results/embedded/loci").glob("*.tsv*"))
    variants = pd.concat([LOCUS_VARIANTS.read(path) for path in files]).drop_duplicates("variant_id")
    variants = variants.iloc[: arguments.variants or None].reset_index(drop=True)
    with Genome(next(iter(sorted((project / "resources/embedded").glob("*.fa"))))) as genome:
        sequences = locus_sequences(variants, genome, backbone.context_length, WINDOWS)
    begin = time.process_time()
    scores = score_table(variants, embed_alleles(sequences, backbone, WINDOWS), head)["score"].to_numpy()
    print(f"{len(variants)} variants in {variants['locus'].nunique()} loci, exact: {time.process_time() - begin:.0f} s")
    rows = np.flatnonzero(sequences.status == SCORED)
    embedder = AlleleEmbedder(sequences, backbone, WINDOWS)
    print("| directions | Spearman r |" + " | ".join(f" kept at {share:.0%}" for share in SHARES) + " |")
    print("|---" * (2 + len(SHARES)) + "|", flush=True)
    directions = {
        "own tracks": backbone.track_weights,
        "head": torch.tensor(head.weight),
        "embedding": torch.eye(backbone.dim),
    }
    for name, weights in directions.items():
        begin = time.process_time()
        magnitude = magnitudes(embedder, backbone, rows, weights)
        kept = [_kept(magnitude, scores[rows], sequences.origin[rows], share) for share in SHARES]
        r = pd.Series(magnitude).corr(pd.Series(scores[rows]), method="spearman")
        print(f"| {name} | {r:.3f} | " + " | ".join(f"{one:.3f}" for one in kept) + " |", flush=True)
        print(f"{time.process_time() - begin:.0f} s", file=sys.stderr)
        if name == "own tracks":
            reached = kept
    for share, value in zip(SHARES, reached, strict=True):
        print(f"ratio screen_kept_at_{share:.2f} {value:.3f} goal 0.95")


def _kept(magnitude: NDArray[np.float64], scores: NDArray[np.float64], locus: NDArray[np.int64], share: float) -> float:
    top = np.argsort(-scores)[: int(np.ceil(TOP * len(scores)))]
    return float(largest_of_each(magnitude, locus, share)[top].mean())


if __name__ == "__main__":
    main()
