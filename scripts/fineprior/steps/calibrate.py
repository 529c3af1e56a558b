"""Rule calibrate: the pipeline from associations to PIPs on a simulated study."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fineprior.files import tables
from fineprior.plan.results import PRIORS
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.report.calibration import tallied
from fineprior.simulate.drawn_panel import panel_to_draw, settings_of_fits
from fineprior.simulate.scenarios import StudyFiles, generator_of, prior_seed, simulate_associations, true_prior
from fineprior.steps.diagnose_ld import diagnose_batches
from fineprior.steps.finemap_batch import finemap as finemap_batch
from fineprior.steps.fit_prior import assign_prior, find_signals, fit_prior

TRUE = "true"
"""The prior that knows the relation of scores and causal variants: no other can gain more."""


def calibrate(
    *,
    question: str,
    scenario: str,
    replicate: int,
    variants: Sequence[str],
    ld: Sequence[str],
    scores: Sequence[str] | None,
    annotations: Sequence[str] | None,
    kinds: Mapping[str, str],
    counts: str,
    bins: str,
    settings: CalibrateSettings,
    priors: PriorSettings,
    finemap: FinemapSettings,
    signals: FinemapSettings,
    panel: str = "",
    samples: str | None = None,
    seed: int = 0,
    workers: int = 1,
) -> None:
    """Simulate a study on the LD and the scores of a real one, and take it through the pipeline's own steps.

    What is simulated is described in `simulate.scenarios`. Signals, enrichment (leaving out each chromosome), weight,
    priors and fits are those of the rules of the same names.

    Parameters
    ----------
    question
        LD of the fits: in_sample, panel or undrifted_panel (`calibrate.ld`). Causal variants and z do not depend on it.
    scenario, replicate
        Scenario and number of the simulated study; with the seed they determine it.
    variants, ld, scores, annotations
        LOCUS_VARIANTS, LD, SCORES and ANNOTATIONS of all batches of the real study, in the same order; None where the
        source needs none.
    kinds
        Name to kind of the annotations.
    counts, bins
        CALIBRATE_COUNTS and CALIBRATE_BINS to write.
    settings, priors
        Of the simulation; of the prior (without its controls).
    finemap, signals
        Settings of the rules finemap and find_signals. With the question in_sample `ld` is so here, too.
    panel, samples
        Panel that LD is computed from, and a file of the samples to keep; without one, people of a panel are drawn from
        a normal distribution.
    workers
        Processes; the result does not depend on their number.
    """
    files = StudyFiles(variants, ld, scores, annotations)
    finemap, signals = (settings_of_fits(question, one) for one in (finemap, signals))
    draw = panel_to_draw(question, ld[0], panel, samples, settings.fst, finemap.panel_size)
    kinds = {name: kind for name, kind in kinds.items() if name not in priors.controls}
    priors = dataclasses.replace(priors, controls=[])
    rng = generator_of(seed, replicate, scenario)
    with tempfile.TemporaryDirectory(prefix="fineprior_calibrate_") as folder:
        study = simulate_associations(files, Path(folder), scenario, settings, priors, rng, draw)
        known = diagnose_batches(study.files.variants, study.files.ld, folder, signals, workers)
        study_files = dataclasses.replace(study.files, diagnoses=known)
        made = _fitted_prior(study_files, folder, kinds, priors, signals, prior_seed(seed, replicate), workers)
        causal = study.truth[study.truth["causal"]]
        fine_mapped: dict[bytes, tuple[pd.DataFrame, pd.DataFrame]] = {}
        found = []
        for prior in (*PRIORS, TRUE):
            paths = [f"{folder}/{prior}.{batch}.tsv.gz" for batch in range(len(study.files.variants))]
            for batch, path in enumerate(paths):
                if prior == TRUE:
                    loci = tables.LOCUS_VARIANTS.read(study.files.variants[batch])["locus"].unique()
                    tables.PRIOR.write(true_prior(study.truth, loci), path)
                else:
                    _assign(prior, study.files, batch, path, made, kinds, priors, prior_seed(seed, replicate))
            # Two priors that are the same numbers have the same bytes, and the same fits.
            key = b"".join(tables.PRIOR.read(path)["prior"].to_numpy(dtype=float).tobytes() for path in paths)
            if key not in fine_mapped:
                fine_mapped[key] = _fine_mapped(study_files, paths, finemap, seed, workers)
            found.append(tallied(prior, *fine_mapped[key], causal))
        weight = float(tables.VERDICT.read(made["verdict"])["weight"].iloc[0])
    head, shares = {"ld": question, "scenario": scenario, "replicate": replicate}, {"uniform": 0.0, TRUE: 1.0}
    drawn = {"panel_size": draw.size, "fst": draw.fst} if draw else {"panel_size": None, "fst": None}
    rows = pd.DataFrame([head | drawn | {"weight": shares.get(one.prior, weight)} | one.counts for one in found])
    tables.CALIBRATE_COUNTS.write(rows, counts)
    tables.CALIBRATE_BINS.write(pd.concat([one.bins for one in found], ignore_index=True).assign(**head), bins)


def _fitted_prior(
    files: StudyFiles, folder: str, kinds: Mapping[str, str], priors: PriorSettings, signals: FinemapSettings,
    seed: int, workers: int,
) -> dict[str, str]:  # fmt: skip
    """Find signals and fit the prior; the files of its tables by their names."""
    fits = [f"{folder}/{batch}.signals.npz" for batch in range(len(files.variants))]
    for variants, ld, known, path in zip(files.variants, files.ld, files.diagnoses, fits, strict=True):
        find_signals(variants=variants, ld=ld, output=path, settings=signals, workers=workers, diagnoses=known)
    made = {name: f"{folder}/{name}.tsv" for name in ("enrichment", "coefficients", "verdict", "steps")}
    fit_prior(
        variants=files.variants, fits=fits, ld=files.ld, scores=files.scores, annotations=files.annotations,
        kinds=kinds, settings=priors, finemap=signals, seed=seed, workers=workers, diagnoses=files.diagnoses, **made,
    )  # fmt: skip
    return made


def _assign(
    prior: str, files: StudyFiles, batch: int, output: str, made: Mapping[str, str], kinds: Mapping[str, str],
    priors: PriorSettings, seed: int,
) -> None:  # fmt: skip
    """Write a prior of a batch."""
    scores, annotations = (paths[batch] if paths else None for paths in (files.scores, files.annotations))
    assign_prior(
        prior=prior, variants=files.variants[batch], scores=scores, annotations=annotations, kinds=kinds,
        enrichment=made["enrichment"], coefficients=made["coefficients"], ld=files.ld[batch], output=output,
        settings=priors, seed=seed,
    )  # fmt: skip


def _fine_mapped(
    files: StudyFiles, priors: Sequence[str], settings: FinemapSettings, seed: int, workers: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """FINEMAP_VARIANTS and the main CREDIBLE_SETS of all batches under a prior."""
    variants, sets = [], []
    for path, ld, known, prior in zip(files.variants, files.ld, files.diagnoses, priors, strict=True):
        made = prior.removesuffix(".tsv.gz")
        outputs = {name: f"{made}.{name}.tsv" for name in ("output", "credible_sets", "status")}
        finemap_batch(variants=path, ld=ld, prior=prior, fits=f"{made}.npz", settings=settings, workers=workers,
                      seed=seed, diagnoses=known, **outputs)  # fmt: skip
        variants.append(tables.FINEMAP_VARIANTS.read(outputs["output"]))
        sets.append(tables.main_sets(tables.CREDIBLE_SETS.read(outputs["credible_sets"])))
    return pd.concat(variants, ignore_index=True), pd.concat(sets, ignore_index=True)
