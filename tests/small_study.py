"""Results of small simulated studies, fine-mapped by the library itself, as a run of the workflow leaves them."""

import numpy as np
import pandas as pd

from fineprior.files import tables
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.plan.results import PRIORS
from fineprior.project.settings import FinemapSettings
from fineprior.steps.compare_priors import compare_priors
from fineprior.steps.finemap_batch import finemap, gather

P, N = 40, 20_000
SPANS = {"1_1001_50000": ("1", 1000, 50_000), "X_1001_50000": ("X", 1000, 50_000)}
CAUSAL = {"1_1001_50000": {8: 9.0, 30: -8.0}, "X_1001_50000": {}}
"""Locus -> variant -> z: the second locus has no signal."""


def write_results(folder, study, seed=1, causal=None, posterior="search"):
    """Write results/{study} of two loci, of which variants 8 and 30 of the first are causal."""
    results = folder / "results" / study
    rng = np.random.default_rng(seed)
    drawn = {locus: _locus(locus, rng, (causal or CAUSAL)[locus]) for locus in SPANS}
    variants = pd.concat([frame for frame, _ in drawn.values()], ignore_index=True)
    tables.LOCUS_VARIANTS.write(variants[tables.LOCUS_VARIANTS.names], results / "loci/0.tsv.gz")
    rsid = np.where(np.arange(len(variants)) % 5, [f"rs{i}" for i in range(len(variants))], None)
    genome = variants.assign(rsid=rsid, action="kept")
    tables.SUMSTATS.write(genome[tables.SUMSTATS.names], results / "sumstats.parquet")
    rows = [(locus, *span, own.loc[own["z"].abs().idxmax(), "variant_id"], 9.0, 18.0, P, 0, "window", None)
            for (locus, span), (own, _) in zip(SPANS.items(), drawn.values(), strict=True)]  # fmt: skip
    tables.LOCI.write(pd.DataFrame(rows, columns=tables.LOCI.names), results / "loci.tsv")
    write_ld(results / "ld/0.npz", [LocusLd(locus, r, frame["variant_id"].to_numpy(np.str_))
                                    for locus, (frame, r) in drawn.items()])  # fmt: skip
    for prior in PRIORS:
        _finemap(results, prior, variants, posterior)
    by_prior = {name: {p: str(results / p / name) for p in PRIORS} for name in ("variants.tsv.gz", "credible_sets.tsv")}
    compare_priors(variants=by_prior["variants.tsv.gz"], credible_sets=by_prior["credible_sets.tsv"],
                   output=str(results / "comparison.tsv"))  # fmt: skip
    verdict = ("functional", 0.9, 0.4, 1.4, 0.95, 2.5, 2.4, -0.5, 6.0, 2, 2, "The scores carry information.")
    tables.VERDICT.write(pd.DataFrame([verdict], columns=tables.VERDICT.names), results / "prior/verdict.tsv")
    qc = [("kept", "kept", 2 * P, 9, "alleles as in the FASTA"), ("dropped", "palindromic", 7, 0, "A/T or C/G")]
    tables.SUMSTATS_QC.write(pd.DataFrame(qc, columns=tables.SUMSTATS_QC.names), results / "sumstats_qc.tsv")
    return results


def _locus(locus, rng, causal):
    chrom, start, _ = SPANS[locus]
    signs = rng.choice([-1, 1], P)
    r = 0.7 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P))) * np.outer(signs, signs)
    z = np.linalg.cholesky(r) @ rng.normal(size=P)
    for variant, effect in causal.items():
        z = z + r[variant] * effect
    pos = start + 1 + 1000 * np.arange(P)
    frame = pd.DataFrame({"locus": locus, "chrom": chrom, "pos": pos, "ref": rng.choice(list("AG"), P), "alt": "T"})
    frame["variant_id"] = frame["chrom"] + ":" + frame["pos"].astype("str") + ":" + frame["ref"] + ":T"
    values = {"beta": z * 0.01, "se": 0.01, "z": z, "neg_log10_p": z**2 / 4.6, "eaf": 0.3, "n": float(N)}
    return frame.assign(**values, panel_af=0.3, panel_index=np.arange(P)), r.astype(np.float32)


def _finemap(results, prior, variants, posterior):
    weights = np.ones(P)
    weights[8] = 5.0 if prior == "functional" else 1.0
    table = variants[["locus", "variant_id"]].assign(score=np.nan, log_odds=0.0, softmax=1 / P, weight=0.0)
    table["prior"] = np.tile(weights / weights.sum(), len(SPANS))
    tables.PRIOR.write(table, results / f"prior/{prior}/0.tsv.gz")
    batch = {name: str(results / f"finemap/{prior}/0.{end}") for name, end in
             (("output", "variants.tsv.gz"), ("credible_sets", "credible_sets.tsv"), ("status", "status.tsv"),
              ("fits", "fits.npz"))}  # fmt: skip
    finemap(variants=results / "loci/0.tsv.gz", ld=results / "ld/0.npz", prior=results / f"prior/{prior}/0.tsv.gz",
            settings=FinemapSettings(ld="in_sample", posterior=posterior), **batch)  # fmt: skip
    gather(
        loci=results / "loci.tsv", variants=[batch["output"]], credible_sets=[batch["credible_sets"]],
        status=[batch["status"]], fits=[batch["fits"]], output_variants=results / prior / "variants.tsv.gz",
        output_credible_sets=results / prior / "credible_sets.tsv", output_status=results / prior / "loci_status.tsv",
        output_fits=results / prior / "fits.rds",
    )  # fmt: skip
