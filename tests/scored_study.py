"""A study on disk with scores that tell causal variants, for tests of the steps from scores to priors."""

from dataclasses import replace

import numpy as np
import pandas as pd

from fineprior.files.tables import (
    ANNOTATIONS,
    LOCUS_VARIANTS,
    PRIOR,
    SCORES,
)
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps.fit_prior import assign_prior, find_signals, fit_prior

SETTINGS = PriorSettings(rounds=1)
FINEMAP = FinemapSettings(ld="in_sample", max_effects=3)
SIZE = 40
TABLES = ("enrichment", "coefficients", "verdict", "steps")


def locus(number, effect, planted=False):
    """One locus with one or two causal variants, chosen by `effect` times the log score; its variants and scores."""
    rng = np.random.default_rng(number)
    chrom = f"chr{1 + number % 4}"
    pos = 1000 * number + np.arange(SIZE)
    ids = [f"{chrom}:{p}:A:C" for p in pos]
    strength, peak = rng.standard_normal(SIZE), rng.random(SIZE) < 0.2
    odds = np.exp(effect * strength + 1.5 * peak)
    z = rng.standard_normal(SIZE)
    z[rng.choice(SIZE, 1 + number % 2, replace=False, p=odds / odds.sum())] += 7
    if planted:
        z = 1 - z[::-1]
    frame = pd.DataFrame({"locus": f"{chrom}_{pos[0]}", "variant_id": ids, "chrom": chrom, "pos": pos})
    frame = frame.assign(ref="A", alt="C", status="scored", score=np.exp(strength), peak=peak.astype(float), z=z,
                         beta=z / 50, se=0.02, neg_log10_p=1.0, eaf=rng.uniform(0.05, 0.95, SIZE), n=1000.0,
                         panel_af=0.3, panel_index=pos)  # fmt: skip
    frame["dnase.l2"], frame["rna.l2"] = frame["score"], rng.lognormal(size=SIZE)
    frame.loc[3, ["score", "status", "dnase.l2", "rna.l2"]] = [np.nan, "indel", np.nan, np.nan]
    return frame


def study(folder, batches=2, effect=1.5, loci=40, planted=""):
    """Write the batches of a study, with their signals; return the files that fit_prior reads."""
    folder.mkdir()
    made = [locus(number, effect, planted == f"chr{1 + number % 4}") for number in range(loci)]
    files = {"variants": [], "scores": [], "annotations": [], "fits": [], "ld": []}
    suffixes = {"fits": ".fits.npz", "ld": ".npz"}
    for batch in range(batches):
        mine = [frame for number, frame in enumerate(made) if number % batches == batch]
        frame = pd.concat(mine) if mine else made[0].iloc[:0]
        paths = {name: str(folder / f"{batch}.{name}{suffixes.get(name, '.tsv.gz')}") for name in files}
        for name, path in paths.items():
            files[name].append(path)
        LOCUS_VARIANTS.write(frame[LOCUS_VARIANTS.names], paths["variants"])
        SCORES.write(frame[[*SCORES.names, "dnase.l2", "rna.l2"]], paths["scores"])
        ANNOTATIONS.write(frame[["locus", "variant_id", "peak"]], paths["annotations"])
        eye = np.eye(SIZE, dtype=np.float32)
        write_ld(paths["ld"], [LocusLd(one["locus"].iloc[0], eye, one["variant_id"].to_numpy(np.str_)) for one in mine])
        find_signals(variants=paths["variants"], ld=paths["ld"], output=paths["fits"], settings=FINEMAP)
    return files


def inputs_of(fitted):
    return {name: fitted[name] for name in ("variants", "scores", "annotations", "fits", "ld")}


def fitted_prior(files, folder, settings=SETTINGS, kinds=None, seed=1, **change):
    folder.mkdir(exist_ok=True)
    outputs = {name: str(folder / f"{name}.tsv") for name in TABLES}
    files = {name: files[name] for name in ("variants", "scores", "annotations", "fits", "ld")}
    inputs = files | {"annotations": files["annotations"] if kinds else None} | change
    fit_prior(**inputs, kinds=kinds or {}, settings=settings, finemap=FINEMAP, seed=seed, **outputs)
    return files | outputs


def assigned(fitted, name, output, batch=0, seed=1, settings=SETTINGS, kinds=None, **change):
    files = {key: fitted[key][batch] for key in ("variants", "scores", "ld")}
    files |= {"annotations": fitted["annotations"][batch] if kinds else None}
    files |= {key: fitted[key] for key in ("enrichment", "coefficients")} | change
    assign_prior(prior=name, output=str(output), settings=settings, seed=seed, kinds=kinds or {}, **files)
    return PRIOR.read(output)


def given(fitted, folder, values, **settings):
    """The study with a column of the user's own; the functional prior of its first batch."""
    files = {name: list(fitted[name]) for name in ("variants", "annotations", "fits", "ld")} | {"scores": None}
    folder.mkdir()
    for number, variants in enumerate(fitted["variants"]):
        frame = LOCUS_VARIANTS.read(variants)[["locus", "variant_id"]]
        scores = SCORES.read(fitted["scores"][number])["score"]
        files["annotations"][number] = str(folder / f"{number}.tsv.gz")
        ANNOTATIONS.write(frame.assign(**values(scores)), files["annotations"][number])
    settings = replace(SETTINGS, **settings)
    outputs = {name: str(folder / f"{name}.tsv") for name in TABLES}
    fit_prior(**files, kinds={}, settings=settings, finemap=FINEMAP, seed=1, **outputs)
    output = folder / "prior.tsv.gz"
    assign_prior(prior="functional", variants=files["variants"][0], annotations=files["annotations"][0], kinds={},
                 enrichment=outputs["enrichment"], coefficients=outputs["coefficients"], output=str(output),
                 settings=settings)  # fmt: skip
    return PRIOR.read(output), outputs
