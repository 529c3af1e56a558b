"""Simulated studies on the LD and the scores of a real study, with a known relation of scores to causal variants.

In each locus 1 to `max_causal` variants are causal (each number as often), drawn one after another with odds that a
`Scenario` gives to the variants. Causal variant j has a standardised effect b_j, of random sign, that explains
b_j^2 = h (1/2 + E) of the trait's variance, h being the mean and E exponential with mean 1/2; and

    z ~ N(sqrt(n) R b, R),

the distribution of the z-scores of a GWAS of n samples with LD R (Zou et al. 2022, doi:10.1371/journal.pgen.1010299).
Fits get R, as with the LD of the GWAS itself, or the LD of a panel drawn from the population whose LD is R
(`drawn_panel`).
"""

import dataclasses
import logging
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_ndtr

from fineprior.files import tables
from fineprior.files.arrays import Floats, Integers
from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd, read_ld, write_ld
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.simulate.drawn_panel import PanelDraw, drawn_ld

log = logging.getLogger(__name__)


TOP_SHARE = 0.1
INVERTED = 10.0
"""How many times likelier to be causal the lowest tenth of the scores is in the scenario inverted."""
_LARGEST_JITTER = 1e-2
_SCORE = {"enrichment": "score", "given": "given", "supervised": "probability", "heritability": "heritability"}
"""Column that is the score of each source of the prior."""


@dataclass(frozen=True)
class Scenario:
    """Variants of the top (or lowest) tenth of scores are causal `enrichment` times as often as others.

    `noise`: the prior is given other scores, which have nothing to do with the causal variants and a heavy tail.
    """

    enrichment: float
    lowest: bool = False
    noise: bool = False


@dataclass(frozen=True)
class StudyFiles:
    """Files of a study, batch by batch: LOCUS_VARIANTS, LD, SCORES and ANNOTATIONS (None where there are none).

    Also `diagnoses` of the loci (npz), where they are made.
    """

    variants: Sequence[str]
    ld: Sequence[str]
    scores: Sequence[str] | None = None
    annotations: Sequence[str] | None = None
    diagnoses: Sequence[str] = ()

    def __post_init__(self) -> None:
        for files in (self.ld, self.scores, self.annotations):
            if files is not None and len(files) != len(self.variants):
                raise InputError(f"{len(self.variants)} files of variants; LD, scores and annotations must be as many")


@dataclass(frozen=True)
class CalibratedStudy:
    """The real study of simulated ones: its files, kinds of annotations by name, settings and seed.

    `finemap` and `signals` are the settings of the rules finemap and find_signals; `panel` and `samples` the panel that
    its LD is computed from and the samples kept of it (empty for LD files).
    """

    files: StudyFiles
    kinds: dict[str, str]
    priors: PriorSettings
    finemap: FinemapSettings
    signals: FinemapSettings
    seed: int
    panel: str = ""
    samples: str = ""


@dataclass(frozen=True)
class SimulatedStudy:
    """Files of a simulated study, and its truth: locus, variant_id, odds to be causal, and causal (flag)."""

    files: StudyFiles
    truth: pd.DataFrame


def generator_of(seed: int, replicate: int, scenario: str) -> np.random.Generator:
    """The random numbers of a simulated study."""
    return np.random.default_rng([seed, replicate, zlib.crc32(scenario.encode())])


def prior_seed(seed: int, replicate: int) -> int:
    """The seed of the prior of a simulated study: another one for each replicate."""
    return seed + replicate


def scenario_of(name: str) -> Scenario:
    """The scenario of this name: enrichment_<times>, inverted or noise.

    Raises
    ------
    InputError
        There is none.
    """
    if name == "inverted":
        return Scenario(INVERTED, lowest=True)
    if name == "noise":
        return Scenario(1.0, noise=True)
    found = re.fullmatch(r"enrichment_(\d+(?:\.\d+)?)", name)
    if found is None or float(found[1]) == 0:
        raise InputError(
            f"calibrate.scenarios: '{name}' is not a scenario; allowed: enrichment_<times> (such as enrichment_10), "
            "inverted, noise"
        )
    return Scenario(float(found[1]))


def causal_odds(scores: Floats, scenario: Scenario) -> Floats:
    """Odds (n,) of each variant of a study to be causal; 1 for all but the tenth that is enriched.

    Parameters
    ----------
    scores
        (n,) of all loci, NaN where there is none; their magnitude counts.
    """
    sizes = np.abs(scores)
    known = sizes[np.isfinite(sizes)]
    odds = np.ones(len(scores))
    if len(known) == 0:
        return odds
    lowest, top = np.quantile(known, (TOP_SHARE, 1 - TOP_SHARE))
    odds[sizes <= lowest if scenario.lowest else sizes >= top] = scenario.enrichment
    return odds


def noise_scores(count: int, rng: np.random.Generator) -> Floats:
    """Scores (n,) with a heavy tail that say nothing: magnitudes of a Cauchy variate."""
    return np.asarray(np.abs(rng.standard_cauchy(count)), dtype=float)


def draw_causal(odds: Floats, max_causal: int, rng: np.random.Generator) -> Integers:
    """Rows (k,) of a locus' causal variants, k from 1 to `max_causal`, drawn without replacement by their odds (p,)."""
    count = min(int(rng.integers(1, max_causal + 1)), len(odds))
    return np.sort(rng.choice(len(odds), count, replace=False, p=odds / odds.sum()))


def draw_effects(count: int, mean_explained: float, rng: np.random.Generator) -> Floats:
    """Standardised effects (k,): each explains `mean_explained` (1/2 + E) of the variance, E exponential, mean 1/2."""
    explained = mean_explained * (0.5 + rng.exponential(0.5, count))
    return np.asarray(np.sqrt(explained) * rng.choice([-1.0, 1.0], count), dtype=float)


def root_of(R: npt.NDArray[np.floating]) -> Floats:
    """Lower triangular L with L L' = R, or R with the least share of the identity that makes it positive definite.

    R of a panel is singular where it has fewer samples than the locus has variants.

    Raises
    ------
    InputError
        R is far from positive semidefinite.
    """
    jitter = 1e-6
    while jitter <= _LARGEST_JITTER:
        try:
            return np.asarray(np.linalg.cholesky((R.astype(float) + jitter * np.eye(len(R))) / (1 + jitter)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise InputError(
        "LD is not positive semidefinite, as correlations of one set of samples are: cannot simulate on it"
    )


def simulate_z(
    R: npt.NDArray[np.floating], root: Floats, causal: Integers, effects: Floats, n: float, rng: np.random.Generator
) -> Floats:
    """z-scores (p,) ~ N(sqrt(n) R b, R) of a GWAS of n samples with LD R (p, p) and effects (k,) at `causal`.

    `root` (p, p) is that of R, as `root_of` gives it.
    """
    mean = np.sqrt(n) * (R[:, causal].astype(float) @ effects)
    return np.asarray(mean + root @ rng.standard_normal(len(R)), dtype=float)


def simulate_associations(
    files: StudyFiles,
    folder: Path,
    name: str,
    settings: CalibrateSettings,
    priors: PriorSettings,
    rng: np.random.Generator,
    draw: PanelDraw | None = None,
) -> SimulatedStudy:
    """Write a study's variants with simulated z into a folder; scores stay, unless the scenario changes them.

    Causal variants and z do not depend on `draw`.

    Parameters
    ----------
    files
        Of the real study. Variants without LD are excluded.
    name
        Of the scenario.
    settings
        `heritability` (0: what the study's leads explain), `max_causal`.
    priors
        `source` says which column is the score.
    draw
        Panel whose LD takes the place of the LD that z are drawn with; None leaves it.
    """
    scenario = scenario_of(name)
    of_panel = rng.spawn(1)[0]
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
        frame, drawn = _simulated(whole[batch_of == number], path, explained, settings.max_causal, rng, draw, of_panel)
        variants.append(str(folder / f"{number}.variants.tsv.gz"))
        tables.LOCUS_VARIANTS.write(frame[tables.LOCUS_VARIANTS.names], variants[-1])
        truth.append(frame[["locus", "variant_id", "odds", "causal"]])
        ld.append(path)
        if draw is not None:
            ld[-1] = str(folder / f"{number}.ld.npz")
            write_ld(ld[-1], drawn, draw.size, draw.told)
    return SimulatedStudy(dataclasses.replace(files, variants=variants, ld=ld), pd.concat(truth, ignore_index=True))


def true_prior(truth: pd.DataFrame, loci: Sequence[str]) -> pd.DataFrame:
    """Table PRIOR of some loci: proportional to the odds that causal variants were drawn with.

    It knows the relation of scores and causal variants: no prior can gain more.
    """
    prior = truth["odds"] / truth.groupby("locus")["odds"].transform("sum")
    table = truth[["locus", "variant_id"]].assign(score=np.nan, log_odds=np.log(truth["odds"]), softmax=prior,
                                                  weight=1.0, prior=prior)  # fmt: skip
    return table[table["locus"].isin(loci)]


def _simulated(
    frame: pd.DataFrame, path: str, explained: float, max_causal: int, rng: np.random.Generator,
    draw: PanelDraw | None, of_panel: np.random.Generator,
) -> tuple[pd.DataFrame, list[LocusLd]]:  # fmt: skip
    """The variants of a batch with simulated z and a flag `causal`, and the LD of the panel that is drawn."""
    made, drawn = [frame.assign(causal=False).iloc[:0]], []
    for locus, rows in frame.groupby("locus", sort=False):
        R, n = _matrix(path, str(locus), rows), float(rows["n"].median())
        root = root_of(R)
        causal = draw_causal(rows["odds"].to_numpy(), max_causal, rng)
        z = simulate_z(R, root, causal, draw_effects(len(causal), explained, rng), n, rng)
        if draw is not None:
            drawn.append(drawn_ld(str(locus), rows, root, draw, of_panel))
        tail = -(np.log(2) + log_ndtr(-np.abs(z))) / np.log(10)
        made.append(rows.assign(z=z, beta=z * rows["se"], neg_log10_p=tail, causal=np.isin(np.arange(len(z)), causal)))
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
