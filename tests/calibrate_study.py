"""A small study with loci, LD and scores for tests of calibrate."""

import numpy as np
import pandas as pd

from fineprior.files.tables import ANNOTATIONS, LOCUS_VARIANTS, SCORES
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.simulate.population import write_panel
from fineprior.simulate.scenarios import StudyFiles

SIZE = 25


def study_files(folder, loci=6, batches=2, lead=7.0):
    """Write the batches of a study (loci/, ld/, scores/, annotations/) and return its files."""
    rng = np.random.default_rng(5)
    R = (0.8 ** np.abs(np.subtract.outer(np.arange(SIZE), np.arange(SIZE)))).astype(np.float32)
    parts = {"variants": "loci/{}.tsv.gz", "ld": "ld/{}.npz", "scores": "scores/{}.tsv.gz",
             "annotations": "annotations/{}.tsv.gz"}  # fmt: skip
    files = {name: [str(folder / path.format(batch)) for batch in range(batches)] for name, path in parts.items()}
    for batch in range(batches):
        frames, matrices = [], []
        for number in range(batch, loci, batches):
            chrom, pos = f"chr{1 + number % 3}", 1000 * number + np.arange(SIZE)
            frame = pd.DataFrame({"locus": f"{chrom}_{number}", "chrom": chrom, "pos": pos})
            frame["variant_id"] = [f"{chrom}:{one}:A:C" for one in pos]
            score = rng.lognormal(size=SIZE)
            z = np.r_[lead, np.zeros(SIZE - 1)]
            columns = {
                "neg_log10_p": 1.0,
                "eaf": 0.3,
                "n": 10_000,
                "panel_af": 0.3,
                "panel_index": number * SIZE + np.arange(SIZE),
                "status": "scored",
            }
            frames.append(
                frame.assign(ref="A", alt="C", z=z, beta=z / 50, se=0.02, score=score, given=score, **columns)
            )
            matrices.append(LocusLd(frame["locus"].iloc[0], R, frame["variant_id"].to_numpy(np.str_)))
        whole = pd.concat(frames)
        whole["dnase.l2"], whole["dnase.sad"] = whole["score"], 1.0
        LOCUS_VARIANTS.write(whole[LOCUS_VARIANTS.names], files["variants"][batch])
        SCORES.write(whole[[*SCORES.names, "dnase.l2", "dnase.sad"]], files["scores"][batch])
        ANNOTATIONS.write(whole[["locus", "variant_id", "given"]], files["annotations"][batch])
        write_ld(files["ld"][batch], matrices, 400)
    return StudyFiles(**files)


def study_panel(files, prefix, people=400):
    """Write a panel of the study's variants with about the LD of its files: latent normal variates, cut in three."""
    rng = np.random.default_rng(6)
    whole = pd.concat([LOCUS_VARIANTS.read(path) for path in files.variants]).sort_values("panel_index")
    chunks = []
    for _ in whole.groupby("locus"):
        latent = np.empty((2, people, SIZE))
        latent[:, :, 0] = rng.standard_normal((2, people))
        for place in range(1, SIZE):
            latent[:, :, place] = 0.9 * latent[:, :, place - 1] + np.sqrt(0.19) * rng.standard_normal((2, people))
        chunks.append((latent > 0.52).sum(0).astype(np.int8))
    prefix.parent.mkdir(parents=True, exist_ok=True)
    write_panel(prefix, pd.DataFrame({"chrom": whole["chrom"], "pos": whole["pos"], "snp_id": whole["variant_id"],
                                      "a1": whole["alt"], "a2": whole["ref"]}), chunks)  # fmt: skip
    return str(prefix)
