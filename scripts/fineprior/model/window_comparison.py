"""A sample of variants scored again in windows that are centred on them, beside the windows that variants share."""

from dataclasses import replace

import numpy as np
import pandas as pd

from fineprior.foundation.settings import ScoreSettings, WindowSettings
from fineprior.foundation.tables import WINDOW_COMPARISON
from fineprior.genetics.genome import Genome
from fineprior.model.backbone import Backbone
from fineprior.model.embeddings import embed_alleles
from fineprior.model.head import Head
from fineprior.model.scores import score_table
from fineprior.sequence.windows import SCORED, locus_sequences, window_start


def window_comparison(
    variants: pd.DataFrame,
    scores: pd.DataFrame,
    genome: Genome,
    backbone: Backbone,
    head: Head,
    windows: WindowSettings,
    settings: ScoreSettings,
    count: int,
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Table WINDOW_COMPARISON of `count` variants, or of all that are scored if these are fewer.

    Parameters
    ----------
    variants, scores
        Tables LOCUS_VARIANTS and SCORES of the same variants; the scores are those in the windows that `windows` asks
        for.
    seed
        Of the sample, which is of variants with the status `scored`.
    """
    scored = scores[scores["status"] == SCORED].drop_duplicates("variant_id")
    chosen = np.random.default_rng(seed).choice(len(scored), min(count, len(scored)), replace=False)
    shared = scored.iloc[np.sort(chosen)]
    rows = variants.drop_duplicates("variant_id").set_index("variant_id", drop=False)
    rows = rows.loc[shared["variant_id"]].reset_index(drop=True)
    length = backbone.context_length
    centred = replace(windows, max_offset=0, screen=1.0)
    sequences = locus_sequences(rows, genome, length, centred)
    again = score_table(rows, embed_alleles(sequences, backbone, centred, threads=threads), head, settings)
    pos = rows["pos"].to_numpy(np.int64)
    table = pd.DataFrame({
        "variant_id": rows["variant_id"],
        "offset": window_start(pos, length) - window_start(pos, length, windows.max_offset),
        "score_shared": shared["score"].to_numpy(),
        "score_centred": again["score"].to_numpy(),
    })  # fmt: skip
    return table[WINDOW_COMPARISON.names]
