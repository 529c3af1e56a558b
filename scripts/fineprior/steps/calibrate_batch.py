"""Rule calibrate: the pipeline from associations to PIPs on a simulated study."""

import dataclasses
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.files import tables
from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS
from fineprior.plan.results import PRIORS
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.report.calibration import tallied
from fineprior.steps.assign_prior import assign_prior, fit_prior
from fineprior.steps.calibrate_data import StudyFiles, simulate_associations
from fineprior.steps.find_signals import find_signals
from fineprior.steps.finemap_batch import finemap as finemap_batch

TRUE = "true"
"""The prior that knows the relation of scores and causal variants: the most that any could bring."""


def calibrate(
    *,
    scenario: str,
    replicate: int,
    files: StudyFiles,
    kinds: Mapping[str, str],
    counts: str,
    bins: str,
    settings: CalibrateSettings,
    priors: PriorSettings,
    finemap: FinemapSettings,
    signals: FinemapSettings,
    seed: int = 0,
    workers: int = 1,
) -> None:
    """Simulate a study on the LD and the scores of a real one, and take it through the pipeline's own steps.

    What is simulated is told in `simulate.scenarios`. Signals, enrichment (leaving out each chromosome), strength,
    priors and fits are those of the rules of the same names.

    Parameters
    ----------
    scenario, replicate
        Scenario and number of the simulated study; with the seed they determine it.
    files
        Of the real study.
    kinds
        Name to kind of the annotations.
    counts, bins
        CALIBRATE_COUNTS and CALIBRATE_BINS to write.
    settings, priors
        Of the simulation; of the prior (its controls are left out).
    finemap, signals
        Settings of the rules finemap and find_signals. Where LD is that of the GWAS (`ld` of the settings is
        in_sample), so are they.
    workers
        Processes; the result does not depend on it.
    """
    rng = np.random.default_rng([seed, replicate, zlib.crc32(scenario.encode())])
    if settings.ld == "in_sample":
        finemap = dataclasses.replace(finemap, ld="in_sample")
        signals = dataclasses.replace(signals, ld="in_sample")
    kinds = {name: kind for name, kind in kinds.items() if name not in priors.controls}
    priors = dataclasses.replace(priors, controls=[])
    with tempfile.TemporaryDirectory(prefix="fineprior_calibrate_") as place:
        folder = Path(place)
        study = simulate_associations(files, folder, scenario, settings, priors, rng)
        steps = _Steps(study.files, folder, kinds, priors, finemap, signals, seed + replicate, workers)
        weight = steps.fit_prior()
        steps.write_true_prior(study.truth)
        causal = study.truth[study.truth["causal"]]
        fitted: dict[bytes, tuple[pd.DataFrame, pd.DataFrame]] = {}
        found = []
        for prior in (*PRIORS, TRUE):
            key = steps.assign_prior(prior)
            if key not in fitted:
                fitted[key] = steps.fine_mapped(prior)
            found.append(tallied(prior, *fitted[key], causal))
    head = {"scenario": scenario, "replicate": replicate}
    shares = {"uniform": 0.0, TRUE: 1.0}
    rows = pd.DataFrame([head | {"weight": shares.get(one.prior, weight)} | one.counts for one in found])
    CALIBRATE_COUNTS.write(rows, counts)
    CALIBRATE_BINS.write(pd.concat([one.bins for one in found], ignore_index=True).assign(**head), bins)


@dataclasses.dataclass(frozen=True)
class _Steps:
    """The steps of the pipeline on one study, with what they write in a folder."""

    files: StudyFiles
    folder: Path
    kinds: Mapping[str, str]
    priors: PriorSettings
    finemap: FinemapSettings
    signals: FinemapSettings
    seed: int
    workers: int

    def fit_prior(self) -> float:
        """Find signals and fit the prior; the mean share of its functional part."""
        fits = [str(self.folder / f"{batch}.signals.npz") for batch in range(len(self.files.variants))]
        for variants, ld, path in zip(self.files.variants, self.files.ld, fits, strict=True):
            find_signals(variants=variants, ld=ld, output=path, settings=self.signals, workers=self.workers)
        fit_prior(
            variants=self.files.variants,
            fits=fits,
            ld=self.files.ld,
            scores=self.files.scores,
            annotations=self.files.annotations,
            kinds=self.kinds,
            enrichment=self._path("enrichment.tsv"),
            coefficients=self._path("coefficients.tsv"),
            verdict=self._path("verdict.tsv"),
            steps=self._path("steps.tsv"),
            settings=self.priors,
            finemap=self.signals,
            seed=self.seed,
            workers=self.workers,
        )
        return float(tables.VERDICT.read(self._path("verdict.tsv"))["weight"].iloc[0])

    def assign_prior(self, prior: str) -> bytes:
        """Write a prior of all batches; two priors that are the same numbers have the same bytes, and the same fits."""
        values = []
        for batch in range(len(self.files.variants)):
            path = self._path(f"{prior}.{batch}.tsv.gz")
            if prior != TRUE:
                self._assign_prior(prior, batch, path)
            values.append(tables.PRIOR.read(path)["prior"].to_numpy(dtype=float).tobytes())
        return b"".join(values)

    def fine_mapped(self, prior: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """FINEMAP_VARIANTS and the main CREDIBLE_SETS of all batches under a prior."""
        variants, sets = [], []
        for batch, (path, ld) in enumerate(zip(self.files.variants, self.files.ld, strict=True)):
            weights, made = self._path(f"{prior}.{batch}.tsv.gz"), self._path(f"{prior}.{batch}")
            outputs = {name: f"{made}.{name}.tsv" for name in ("output", "credible_sets", "status")}
            finemap_batch(
                variants=path,
                ld=ld,
                prior=weights,
                fits=f"{made}.npz",
                settings=self.finemap,
                workers=self.workers,
                **outputs,
            )
            variants.append(tables.FINEMAP_VARIANTS.read(outputs["output"]))
            sets.append(tables.main_sets(tables.CREDIBLE_SETS.read(outputs["credible_sets"])))
        return pd.concat(variants, ignore_index=True), pd.concat(sets, ignore_index=True)

    def write_true_prior(self, truth: pd.DataFrame) -> None:
        """Write the prior that is proportional to the odds that causal variants were drawn with."""
        prior = truth["odds"] / truth.groupby("locus")["odds"].transform("sum")
        table = truth[["locus", "variant_id"]].assign(score=np.nan, log_odds=np.log(truth["odds"]), softmax=prior,
                                                      weight=1.0, prior=prior)  # fmt: skip
        for batch, path in enumerate(self.files.variants):
            loci = tables.LOCUS_VARIANTS.read(path)["locus"].unique()
            tables.PRIOR.write(table[table["locus"].isin(loci)], self._path(f"{TRUE}.{batch}.tsv.gz"))

    def _assign_prior(self, prior: str, batch: int, output: str) -> None:
        assign_prior(
            prior=prior,
            variants=self.files.variants[batch],
            scores=self.files.scores[batch] if self.files.scores else None,
            annotations=self.files.annotations[batch] if self.files.annotations else None,
            kinds=self.kinds,
            enrichment=self._path("enrichment.tsv"),
            coefficients=self._path("coefficients.tsv"),
            ld=self.files.ld[batch],
            output=output,
            settings=self.priors,
            seed=self.seed,
        )

    def _path(self, name: str) -> str:
        return str(self.folder / name)
