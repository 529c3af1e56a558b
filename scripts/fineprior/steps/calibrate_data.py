"""The files of a study with simulated associations in place of its own."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import log_ndtr

from fineprior.files import tables
from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd, read_ld, read_panel_size, write_ld
from fineprior.project.settings import CalibrateSettings, PriorSettings
from fineprior.simulate.scenarios import (
    causal_odds,
    draw_causal,
    draw_effects,
    noise_scores,
    panel_correlation,
    scenario_of,
    simulate_z,
)

log = logging.getLogger(__name__)

_SCORE = {"enrichment": "score", "given": "given", "supervised": "probability", "heritability": "heritability"}
"""Column that is the score of each source of the prior."""


@dataclass(frozen=True)
class StudyFiles:
    """Files of a study, batch by batch: LOCUS_VARIANTS, LD, SCORES and ANNOTATIONS (None where there are none)."""

    variants: Sequence[str]
    ld: Sequence[str]
    scores: Sequence[str] | None = None
    annotations: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for files in (self.ld, self.scores, self.annotations):
            if files is not None and len(files) != len(self.variants):
                raise InputError(f"{len(self.variants)} files of variants; LD, scores and annotations must be as many")


@dataclass(frozen=True)
class SimulatedStudy:
    """Files of a simulated study, and its truth: locus, variant_id, odds to be causal, and causal (flag)."""

    files: StudyFiles
    truth: pd.DataFrame


def simulate_associations(
    files: StudyFiles,
    folder: Path,
    name: str,
    settings: CalibrateSettings,
    priors: PriorSettings,
    rng: np.random.Generator,
) -> SimulatedStudy:
    """Write a study's variants with simulated z into a folder; LD and scores stay, unless the scenario changes them.

    Parameters
    ----------
    files
        Of the real study. Variants without LD are left out.
    name
        Of the scenario.
    settings
        `heritability` (0: what the study's leads explain), `max_causal`, `ld` (panel: LD of people drawn anew).
    priors
        `source` says which column is the score.
    """
    scenario = scenario_of(name)
    if scenario.noise:
        files = _with_noise(files, folder, priors.source, rng)
    frames = [_with_ld(tables.LOCUS_VARIANTS.read(path), ld) for path, ld in zip(files.variants, files.ld, strict=True)]
    whole = pd.concat(frames, ignore_index=True)
    if whole.empty:
        raise InputError(f"{files.variants[0]} and the other batches: no locus has LD to simulate on")
    whole["odds"] = causal_odds(_scores(whole, files, priors.source), scenario)
    explained = _mean_explained(whole, settings)
    batch_of = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    variants, ld, truth = [], [], []
    for number, path in enumerate(files.ld):
        frame, drawn = _simulated(whole[batch_of == number], path, explained, settings, rng)
        variants.append(str(folder / f"{number}.variants.tsv.gz"))
        tables.LOCUS_VARIANTS.write(frame[tables.LOCUS_VARIANTS.names], variants[-1])
        truth.append(frame[["locus", "variant_id", "odds", "causal"]])
        ld.append(path)
        if settings.ld == "panel":
            ld[-1] = str(folder / f"{number}.ld.npz")
            write_ld(ld[-1], drawn, read_panel_size(path))
    return SimulatedStudy(dataclasses.replace(files, variants=variants, ld=ld), pd.concat(truth, ignore_index=True))


def _simulated(
    frame: pd.DataFrame, path: str, explained: float, settings: CalibrateSettings, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[LocusLd]]:
    """The variants of a batch with simulated z and a flag `causal`, and LD of a panel drawn anew where it is wanted."""
    people = read_panel_size(path) if settings.ld == "panel" else None
    if settings.ld == "panel" and people is None:
        raise InputError(f"calibrate.ld: {path} does not say how many people LD is of; with panel it must")
    made, drawn = [frame.assign(causal=False).iloc[:0]], []
    for locus, rows in frame.groupby("locus", sort=False):
        R, n = _matrix(path, str(locus), rows), float(rows["n"].median())
        causal = draw_causal(rows["odds"].to_numpy(), settings.max_causal, rng)
        z = simulate_z(R, causal, draw_effects(len(causal), explained, rng), n, rng)
        tail = -(np.log(2) + log_ndtr(-np.abs(z))) / np.log(10)
        made.append(rows.assign(z=z, beta=z * rows["se"], neg_log10_p=tail, causal=np.isin(np.arange(len(z)), causal)))
        if people is not None:
            names = rows["variant_id"].to_numpy(np.str_)
            drawn.append(LocusLd(str(locus), panel_correlation(R, round(people), rng), names))
    return pd.concat(made, ignore_index=True), drawn


def _with_ld(frame: pd.DataFrame, path: str) -> pd.DataFrame:
    """The variants that have LD."""
    known = [rows["variant_id"].isin(read_ld(path, str(locus)).variant_ids)
             for locus, rows in frame.groupby("locus", sort=False)]  # fmt: skip
    if not known:
        return frame
    here = pd.concat(known)
    if not here.all():
        log.warning("%s: %d of %d variants have no LD; nothing is simulated for them", path, (~here).sum(), len(here))
    return frame[here].reset_index(drop=True)


def _matrix(path: str, locus: str, rows: pd.DataFrame) -> np.ndarray:
    found = read_ld(path, locus)
    order = pd.Index(found.variant_ids).get_indexer(pd.Index(rows["variant_id"]))
    return found.r[np.ix_(order, order)]


def _scores(frame: pd.DataFrame, files: StudyFiles, source: str) -> Floats:
    """The score (n,) of each variant of the frame."""
    paths = files.scores if source == "enrichment" else files.annotations
    if paths is None:
        raise InputError(f"the scenarios need the scores that the source {source} reads")
    read = tables.SCORES.read if source == "enrichment" else tables.ANNOTATIONS.read
    table = pd.concat([read(path)[["locus", "variant_id", _SCORE[source]]] for path in paths])
    joined = frame[["locus", "variant_id"]].merge(table, on=["locus", "variant_id"], how="left")
    if len(joined) != len(frame):
        raise InputError(f"{paths[0]} and the other batches: a variant has more than one row")
    return joined[_SCORE[source]].to_numpy(dtype=float)


def _mean_explained(frame: pd.DataFrame, settings: CalibrateSettings) -> float:
    """Share of the trait's variance that a causal variant explains in the mean.

    With a heritability of 0 a locus explains as much as its lead in the study's own GWAS, (z^2 - 1) / n in the mean.
    """
    mean_count = (1 + settings.max_causal) / 2
    by_locus = frame.groupby("locus", sort=False)
    if settings.heritability:
        return settings.heritability / (by_locus.ngroups * mean_count)
    leads = by_locus["z"].apply(lambda z: float((z**2).max()))
    return float((np.maximum(leads - 1, 1) / by_locus["n"].median()).mean()) / mean_count


def _with_noise(files: StudyFiles, folder: Path, source: str, rng: np.random.Generator) -> StudyFiles:
    """The same files with noise in place of the score (and of all tracks' scores), where there is one."""
    own = source == "enrichment"
    table = tables.SCORES if own else tables.ANNOTATIONS
    written = []
    for number, path in enumerate((files.scores if own else files.annotations) or ()):
        frame = table.read(path)
        for column in [_SCORE[source], *(name for name in frame if str(name).endswith(".l2"))]:
            values = noise_scores(len(frame), rng)
            noise = values / (1 + values) if source == "supervised" else values
            frame[column] = np.where(frame[column].isna(), np.nan, noise)
        written.append(str(folder / f"{number}.noise.tsv.gz"))
        table.write(frame, written[-1])
    return dataclasses.replace(files, scores=written) if own else dataclasses.replace(files, annotations=written)
