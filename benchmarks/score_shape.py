"""One feature of a score, or one and its three ramps: what the prior of a study reaches where the truth is known.

    snakemake --cores 2                                        # the embedded study, once
    python benchmarks/score_shape.py --write docs/method/prior.md    # two CPU minutes

Studies are simulated on the LD and the scores of the embedded study. Each locus has one causal variant, drawn by odds
that are a step at a quantile of the scores, or exp(b t), t being the feature of kind score; its chi-square is 40 in the
mean, and Bayes factors are those of z. The prior is given the score, or one that is spoilt: its logarithm with normal
noise of 0.7 of its own standard deviation. Coefficients, ridge and weight are chosen as for a study, each chromosome
left out.

Measured is the expected log likelihood of a new causal variant under the prior, over uniform, as a share of what the
odds themselves have: with one feature, with ramps, and with the one of both that gains more on chromosomes left out.
"""

import argparse
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from fineprior.files.arrays import Floats  # noqa: E402
from fineprior.files.tables import LOCUS_VARIANTS, SCORES  # noqa: E402
from fineprior.genotypes.ld_store import read_locus_ld  # noqa: E402
from fineprior.priors.batches import genome_order  # noqa: E402
from fineprior.priors.blocks import Block, Integers, locus_sizes, locus_starts, log_odds_of, log_softmax  # noqa: E402
from fineprior.priors.enrichment import log_bayes_factors  # noqa: E402
from fineprior.priors.features import (  # noqa: E402
    Feature,
    Model,
    feature_matrix,
    features_of,
    shaped,
)
from fineprior.priors.folds import cross_fit  # noqa: E402
from fineprior.priors.gains import study_support  # noqa: E402
from fineprior.priors.strength import functional_prior, held_out_likelihood  # noqa: E402
from fineprior.project.settings import PriorSettings  # noqa: E402
from fineprior.simulate.scenarios import draw_effects, simulate_z  # noqa: E402

CHI_SQUARE, NOISE = 40.0, 0.7
STEPS = {"top tenth, odds 3": (0.9, 3.0), "top tenth, odds 10": (0.9, 10.0), "top fiftieth, odds 30": (0.98, 30.0),
         "top quarter, odds 5": (0.75, 5.0)}  # fmt: skip
GRADUAL = "exp(b t), top tenth against the rest 10"
MARKS = ("<!-- benchmarks/score_shape.py -->", "<!-- end of benchmarks/score_shape.py -->")


@dataclass(frozen=True)
class Loci:
    """Variants in genome order with their first rows by locus, and LD of each locus."""

    frame: pd.DataFrame
    starts: Integers
    ld: list[np.ndarray]

    @property
    def chromosomes(self) -> np.ndarray:
        """Chromosome of each locus."""
        return self.frame["chrom"].to_numpy()[self.starts]


def read_loci(study: Path) -> Loci:
    """The variants that have LD, of the loci in which all have a score above 0."""
    frames, ld = [], {}
    for path in sorted((study / "loci").glob("*.tsv.gz")):
        frame = LOCUS_VARIANTS.read(path).merge(SCORES.read(study / "scores" / path.name)[["variant_id", "score"]],
                                                on="variant_id")  # fmt: skip
        for locus, rows in frame.groupby("locus", sort=False):
            ids = rows["variant_id"].tolist()
            found, known = read_locus_ld(study / "ld" / path.name.replace(".tsv.gz", ".npz"), str(locus), ids)
            ld[str(locus)] = found.r
            if rows["score"].gt(0).all():
                frames.append(rows[known])
    frame = genome_order(pd.concat([one for one in frames if len(one)], ignore_index=True))
    starts = locus_starts(frame["locus"])
    return Loci(frame, starts, [ld[name] for name in frame["locus"].to_numpy()[starts]])


def true_odds(score: Floats, truth: str) -> Floats:
    """Odds (n,) of each variant to be causal."""
    if truth in STEPS:
        quantile, odds = STEPS[truth]
        return np.where(score >= np.quantile(score, quantile), odds, 1.0)
    t, top = score / (score + np.quantile(score, 0.9)), score >= np.quantile(score, 0.9)
    slopes = np.linspace(0, 20, 4001)
    ratios = [np.exp(b * t)[top].mean() / np.exp(b * t)[~top].mean() for b in slopes]
    return np.exp(slopes[int(np.argmin(np.abs(np.array(ratios) - 10)))] * t)


def reached(
    loci: Loci, features: list[Feature], score: Floats, log_bf: np.ndarray, truth: Floats
) -> tuple[float, float]:
    """Expected log likelihood over uniform of a causal variant of each locus, summed; gain on chromosomes left out."""
    X, _ = feature_matrix(pd.DataFrame({"score": score}), features)
    model = Model.of(features)
    sizes, blocks = locus_sizes(loci.starts, len(X)), {}
    for chrom in dict.fromkeys(loci.chromosomes):
        mine = np.flatnonzero(loci.chromosomes == chrom)
        rows = slice(loci.starts[mine[0]], loci.starts[mine[-1]] + sizes[mine[-1]])
        blocks[chrom] = [Block.of(X[rows], log_bf[rows], loci.starts[mine] - loci.starts[mine[0]], mine)]
    settings = PriorSettings()
    folds = cross_fit(blocks, model, settings, 1)
    log_odds = {chrom: log_odds_of(here, folds[chrom].coefficients) for chrom, here in blocks.items()}
    weight = study_support(blocks, log_odds, folds, settings, 1).weight
    held = sum(np.diff(held_out_likelihood(blocks[chrom], log_odds[chrom], settings, weight), axis=0).sum()
               for chrom in blocks)  # fmt: skip
    prior = functional_prior(np.concatenate([one[0] for one in log_odds.values()]), loci.starts, settings, weight)
    return float(truth @ np.log(prior * np.repeat(sizes, sizes))), float(held)


def simulated(loci: Loci, truth: str, noise: float, number: int) -> dict[str, float]:
    """Log likelihoods of one study: of the odds themselves, with one feature, with ramps, and of the one chosen."""
    rng = np.random.default_rng([number, zlib.crc32(truth.encode())])
    score = loci.frame["score"].to_numpy(dtype=float)
    sizes = locus_sizes(loci.starts, len(score))
    log_prior = log_softmax(np.log(true_odds(score, truth)), loci.starts)
    prior, z = np.exp(log_prior), []
    for R, start, size in zip(loci.ld, loci.starts, sizes, strict=True):
        causal = rng.choice(size, 1, p=prior[start : start + size] / prior[start : start + size].sum())
        z.append(simulate_z(R, causal, draw_effects(1, CHI_SQUARE, rng), 1.0, rng))
    seen = np.exp(np.log(score) + rng.normal(0, noise * np.log(score).std(), len(score)))
    frame = pd.DataFrame({"score": seen})
    one = features_of(frame, {"score": "score"})
    log_bf = log_bayes_factors(np.concatenate(z)).astype(np.float32)
    found = [reached(loci, features, seen, log_bf, prior) for features in (one, shaped(frame, one))]
    best = max(found, key=lambda each: each[1])
    return {"full": float(prior @ (log_prior + np.log(np.repeat(sizes, sizes)))), "score": found[0][0],
            "shaped": found[1][0], "chosen": best[0]}  # fmt: skip


def main() -> None:
    """Simulate, print, and put the table into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("results/embedded"), help="results of the embedded study")
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument(
        "--write", type=Path, help="page to put the table into, between the lines that name this benchmark"
    )
    arguments = parser.parse_args()
    loci = read_loci(arguments.study)
    lines = ["", "| true odds | score | one feature | with ramps | chosen |", "|---|---|---|---|---|"]
    for truth in (*STEPS, GRADUAL):
        for noise in (0.0, NOISE):
            made = [simulated(loci, truth, noise, number) for number in range(arguments.studies)]
            total = pd.DataFrame(made).sum()
            shares = " | ".join(f"{total[name] / total['full']:.2f}" for name in ("score", "shaped", "chosen"))
            lines.append(f"| {truth} | {'spoilt' if noise else 'its own'} | {shares} |")
            print(lines[-1], flush=True)
    if arguments.write:
        before, rest = arguments.write.read_text().split(MARKS[0])
        page = [before + MARKS[0], *lines, "", MARKS[1] + rest.split(MARKS[1])[1]]
        arguments.write.write_text("\n".join(page))


if __name__ == "__main__":
    main()
