"""What priors find, and whether their claims hold, in studies simulated on known LD and scores (`fineprior calibrate`).

    snakemake --cores 2                                                    # the embedded study, once
    python benchmarks/calibration.py --founders ../shared/data/panel_chr20/panel --jobs 2 --output /tmp/calibration

Two sources of LD and scores. "embedded": the loci, LD and scores of the embedded study (about 50 loci on 4 chromosomes,
12,000 people), causal variants as strong as the leads of its own GWAS. "founders": LOCI windows of WIDTH bp of real
genotypes, divided among CHROMOSOMES, with log-normal scores, 50,000 people and causal variants of mean chi-square
CHI_SQUARE. Both settings were chosen before the first run: lead z-scores are mostly 6 to 9, and the second is that of
the simulations that ask what a correct prior of enrichment 10 is worth. Every simulated study goes through the
pipeline's own steps, so its prior is estimated from its own loci, each chromosome left out. Loci are not fitted again
under the prior to estimate it anew (priors.rounds is 0), which would take most of the time. What is simulated is told
in fineprior.simulate.scenarios.

Each study is fitted with the LD that its z were drawn with (in_sample), with that of a panel of its size drawn from the
same population (undrifted_panel), and with that of one whose population has drifted by F_ST = FST (panel), which the
fits are told. Causal variants and z are the same in all three.

Prints a table for each source and, last, what was reached beside the goals as `ratio NAME VALUE goal GOAL`. At least
the goal: found (causal variants with PIP > 0.95, functional over uniform; for misleading scores over shuffled) and
coverage. At most: fdr_excess, by how much the interval of the FDR at PIP > 0.9 lies above 1 - mean PIP (negative where
it holds that), and fdr_above, that FDR less the one of the other prior. `--write docs/method/calibration.tsv` puts
the table there, and `python benchmarks/figures.py` draws it. Goals are those of in_sample.
`--output` keeps what is simulated; a run that was stopped goes on from there.
"""

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from ld_simulation import read_founders  # noqa: E402

from fineprior.files.tables import LOCUS_VARIANTS, SCORES  # noqa: E402
from fineprior.genotypes.ld_store import LocusLd, write_ld  # noqa: E402
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings  # noqa: E402
from fineprior.report.calibration import MEASURES  # noqa: E402
from fineprior.simulate.population import write_panel  # noqa: E402
from fineprior.simulate.scenarios import CalibratedStudy, StudyFiles  # noqa: E402
from fineprior.steps.calibrate_study import calibrate_study  # noqa: E402

LOCI, CHROMOSOMES, WIDTH = 200, 8, 100_000
GWAS_PEOPLE, CHI_SQUARE, FST = 50_000, 40.0, 0.005
PRIORS = PriorSettings(rounds=0)
MISLEADING = ("inverted", "noise")
COLUMNS = ("ld", "scenario", "prior", "loci", "weight", "sets", "coverage", "power", "mean_size", "hits_95", "false_95",
           "found_ratio", "found_ratio_lower", "found_ratio_upper", "fdr_added_90", "fdr_added_lower_90",
           "fdr_added_upper_90")  # fmt: skip
HITS = ("hits_90", "fdr_90", "fdr_lower_90", "fdr_upper_90", "claimed_fdr_90", "fdr_50", "claimed_fdr_50")
DECIMALS = {"weight": 2, "mean_size": 2}
"""Digits that are written after the point; three where a column is not named here, none of whole numbers."""


def main() -> None:
    """Simulate, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="results/embedded", help="results of the embedded study")
    parser.add_argument("--founders", help="prefix of a PLINK panel of real genotypes")
    parser.add_argument("--loci", type=int, default=1000, help="loci simulated for each scenario, at least")
    parser.add_argument("--scenarios", nargs="+", default=CalibrateSettings().scenarios)
    parser.add_argument("--posterior", default=FinemapSettings().posterior, help="`finemap.posterior` of the fits")
    parser.add_argument("--ld", nargs="+", default=["in_sample", "undrifted_panel", "panel"])
    parser.add_argument("--sources", nargs="+", default=["embedded", "founders"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", help="folder to keep what is simulated in")
    parser.add_argument("--write", help="tab-separated file for the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.output or temporary)
        ratios: list[tuple[str, float, float]] = []
        lines = [_header()]
        for source, files, panel, heritability in _sources(arguments, folder):
            loci = sum(LOCUS_VARIANTS.read(path)["locus"].nunique() for path in files.variants)
            settings = CalibrateSettings(
                scenarios=arguments.scenarios, replicates=math.ceil(arguments.loci / loci), heritability=heritability,
                ld=arguments.ld, fst=FST,
            )  # fmt: skip
            fits = FinemapSettings(posterior=arguments.posterior)
            study = CalibratedStudy(files, {}, PRIORS, fits, FinemapSettings(), arguments.seed, panel)
            summary = calibrate_study(study, folder / source, settings, jobs=arguments.jobs, keep=True)
            print(f"{source}: {settings.replicates} studies of {loci} loci for each scenario")
            lines += _table(source, summary)
            ratios += [(f"{source}_{name}", value, goal) for name, value, goal in _ratios(summary)]
    print("\n".join(lines))
    if arguments.write:
        Path(arguments.write).write_text("\n".join([*lines, ""]))
    if not arguments.founders and "founders" in arguments.sources:
        print("\n--founders is not given: nothing was simulated on real genotypes, which the goals are for as well")
    for name, value, goal in ratios:
        print(f"ratio {name} {value:.4f} goal {goal}")


def _sources(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, StudyFiles, str, float]]:
    """Name, files, panel and heritability (0: of the study's own GWAS) of each source of LD and scores."""
    if "embedded" in arguments.sources:
        panel = Path(arguments.study).parents[1] / "resources/embedded/panel"
        yield "embedded", _embedded(arguments), str(panel), 0.0
    if "founders" in arguments.sources and arguments.founders:
        made = _founders(arguments.founders, folder / "founders", arguments.seed)
        mean_count = (1 + CalibrateSettings().max_causal) / 2
        yield "founders", *made, LOCI * mean_count * CHI_SQUARE / GWAS_PEOPLE


def _embedded(arguments: argparse.Namespace) -> StudyFiles:
    """Files of the embedded study."""
    batches = sorted(Path(arguments.study, "loci").glob("*.tsv.gz"))
    if not batches:
        raise SystemExit(f"{arguments.study}: no loci; run snakemake first, or name the study's results with --study")
    names = [path.name.removesuffix(".tsv.gz") for path in batches]
    parts = {"variants": "loci/{}.tsv.gz", "ld": "ld/{}.npz", "scores": "scores/{}.tsv.gz"}
    files = {part: [f"{arguments.study}/{path.format(name)}" for name in names] for part, path in parts.items()}
    return StudyFiles(**files)


def _founders(prefix: str, folder: Path, seed: int) -> tuple[StudyFiles, str]:
    """Files of a study on windows of real genotypes, and its panel; no two windows share a position."""
    rng = np.random.default_rng(seed)
    founders, positions = read_founders(prefix)
    frames, matrices, genotypes, count = [], [], [], 0
    for number, first in enumerate(np.sort(rng.integers(positions[0], positions[-1] - WIDTH, LOCI))):
        chrom, place = f"chr{1 + number * CHROMOSOMES // LOCI}", number * 10 * WIDTH
        inside = np.flatnonzero((positions >= first) & (positions < first + WIDTH))
        frequency = founders[:, inside].mean(0) / 2
        pos = place + positions[inside] - first + 1
        frame = pd.DataFrame({"locus": f"{chrom}_{place}_{place + WIDTH}", "pos": pos, "chrom": chrom})
        frame["variant_id"] = [f"{chrom}:{one}:A:C" for one in pos]
        frames.append(frame.assign(ref="A", alt="C", z=0.0, beta=0.0, neg_log10_p=0.0, eaf=frequency, n=GWAS_PEOPLE,
                                   se=1 / np.sqrt(2 * frequency * (1 - frequency) * GWAS_PEOPLE), panel_af=frequency,
                                   panel_index=count + np.arange(len(inside)), status="scored",
                                   score=rng.lognormal(size=len(pos))))  # fmt: skip
        count += len(inside)
        genotypes.append(founders[:, inside])
        R = np.corrcoef(founders[:, inside].T.astype(float)).astype(np.float32)
        matrices.append(LocusLd(frame["locus"].iloc[0], R, frame["variant_id"].to_numpy(np.str_)))
    whole = pd.concat(frames, ignore_index=True)
    names = [f"{folder}/study.{kind}" for kind in ("variants.tsv.gz", "npz", "scores.tsv.gz")]
    LOCUS_VARIANTS.write(whole[LOCUS_VARIANTS.names], names[0])
    write_ld(names[1], matrices, len(founders), (FST, 0.0))
    SCORES.write(whole[SCORES.names], names[2])
    panel = whole.rename(columns={"variant_id": "snp_id", "alt": "a1", "ref": "a2"})
    write_panel(folder / "panel", panel[["chrom", "pos", "snp_id", "a1", "a2"]], genotypes)
    return StudyFiles(*([name] for name in names)), f"{folder}/panel"


def _header() -> str:
    """Names of the columns, as in the table `calibrate_summary`; `in_sets_` stands before those of pip_credible."""
    return "\t".join(("source", *COLUMNS, *HITS, *(f"in_sets_{name}" for name in HITS)))


def _text(name: str, cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return "NA" if math.isnan(cell) else f"{cell:.{DECIMALS.get(name, 3)}f}"


def _table(source: str, summary: pd.DataFrame) -> Iterator[str]:
    """One tab-separated line for each scenario and prior."""
    by_measure = (summary[summary["measure"] == measure].to_dict("records") for measure in MEASURES)
    for row, credible in zip(*by_measure, strict=True):
        cells = [row[name] for name in (*COLUMNS, *HITS)] + [credible[name] for name in HITS]
        names = (*COLUMNS, *HITS, *HITS)
        yield "\t".join((source, *map(_text, names, cells)))


def _ratios(summary: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Name, value and goal of what is asked for."""
    every = summary[summary["measure"] == "pip"]
    rows = every[every["ld"] == "in_sample"].set_index(["scenario", "prior"]).sort_index()
    scenarios = set(rows.index.get_level_values("scenario"))
    if "enrichment_10" in scenarios:
        row = rows.loc["enrichment_10", "functional"]
        yield "enrichment_10_found_over_uniform", row["found_ratio"], 1.25
        yield "enrichment_10_fdr_excess", row["fdr_lower_90"] - row["claimed_fdr_90"], 0.0
        yield "enrichment_10_coverage", row["coverage"], 0.94
    for scenario, beside, goal in (("enrichment_1", "uniform", 0.97), *((one, "shuffled", 1.0) for one in MISLEADING)):
        if scenario in scenarios:
            row, other = rows.loc[scenario, "functional"], rows.loc[scenario, beside]
            yield f"{scenario}_found_over_{beside}", row["found_ratio"] / other["found_ratio"], goal
            yield f"{scenario}_fdr_above_{beside}", row["fdr_90"] - other["fdr_90"], 0.0


if __name__ == "__main__":
    main()
