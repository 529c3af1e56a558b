"""False discoveries of PIPs with the LD of the GWAS and with that of a panel, on real genotypes: the questions apart.

    python benchmarks/calibration_ld.py PANEL --jobs 2 --output /tmp/calibration_ld

Studies of `calibration.py`'s source "founders" (LOCI windows of real genotypes), with scores that mean nothing and the
uniform prior, which needs no estimate. Each is fine-mapped with the LD that its z were drawn with (in_sample), with
that of a panel of its size from the same population (undrifted_panel), and with that of a panel whose population has
drifted by F_ST = FST (panel), which the fits are told. Causal variants and z are the same in all three. `--write
docs/method/calibration_ld.tsv` puts the table there. `--output` keeps what is done; a run that was stopped goes on.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import calibration
import pandas as pd

from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS
from fineprior.finemap.workers import fit_loci
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.report.calibration import summary_of, tallied
from fineprior.simulate.drawn_panel import panel_to_draw, settings_of_fits
from fineprior.simulate.scenarios import StudyFiles, generator_of, simulate_associations
from fineprior.steps.calibrate import _fine_mapped
from fineprior.steps.diagnose_ld import diagnose_batches
from fineprior.steps.fit_prior import assign_prior

QUESTIONS = ("in_sample", "undrifted_panel", "panel")
SCENARIO = "enrichment_1"
COLUMNS = ("ld", "panel_size", "fst", "studies", "loci", "causal", "sets", "coverage", "coverage_lower",
           "coverage_upper", "power", "mean_size",
           *(f"{name}_{percent}" for percent in (50, 90, 95)
             for name in ("hits", "false", "fdr", "fdr_lower", "fdr_upper", "claimed_fdr")),
           "fdr_added_90", "fdr_added_lower_90", "fdr_added_upper_90", "cause")  # fmt: skip


def main() -> None:
    """Simulate, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("founders", help="prefix of a PLINK panel of real genotypes")
    parser.add_argument("--studies", type=int, default=3, help=f"studies of {calibration.LOCI} loci for each question")
    parser.add_argument("--posterior", default=FinemapSettings().posterior, help="`finemap.posterior` of the fits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", help="folder to keep what is done in")
    parser.add_argument("--write", help="tab-separated file for the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.output or temporary)
        files, panel = calibration._founders(arguments.founders, folder, arguments.seed)
        tasks = [(question, number) for number in range(arguments.studies) for question in QUESTIONS]
        waiting = [task for task in tasks if not (folder / f"{task[0]}.{task[1]}.bins.tsv").is_file()]
        settings = FinemapSettings(posterior=arguments.posterior)
        list(fit_loci(lambda task: _run(task, files, panel, settings, folder, arguments.seed), waiting, arguments.jobs))
        counts, bins = (
            pd.concat([table.read(folder / f"{question}.{number}.{kind}.tsv") for question, number in tasks])
            for table, kind in ((CALIBRATE_COUNTS, "counts"), (CALIBRATE_BINS, "bins"))
        )
    found = summary_of(counts, bins, arguments.seed)
    rows = found[found["measure"] == "pip"][list(COLUMNS)]
    text = rows.to_csv(sep="\t", index=False, na_rep="NA", float_format="%.4g")
    print(text)
    if arguments.write:
        Path(arguments.write).write_text(text)


def _run(
    task: tuple[str, int], files: StudyFiles, panel: str, settings: FinemapSettings, folder: Path, seed: int
) -> None:
    """One study with one question: simulated, fine-mapped and counted."""
    question, number = task
    fits = settings_of_fits(question, settings)
    draw = panel_to_draw(question, files.ld[0], panel, None, calibration.FST, fits.panel_size)
    mean_count = (1 + CalibrateSettings().max_causal) / 2
    heritability = calibration.LOCI * mean_count * calibration.CHI_SQUARE / calibration.GWAS_PEOPLE
    simulation = CalibrateSettings(heritability=heritability)
    with tempfile.TemporaryDirectory() as own:
        rng = generator_of(seed, number, SCENARIO)
        study = simulate_associations(files, Path(own), SCENARIO, simulation, PriorSettings(), rng, draw)
        prior = f"{own}/uniform.tsv.gz"
        assign_prior(prior="uniform", variants=study.files.variants[0], output=prior)
        known = diagnose_batches(study.files.variants, study.files.ld, own, fits, 1)
        found = _fine_mapped(replace(study.files, diagnoses=known), [prior], fits, seed, 1)
        tally = tallied("uniform", *found, study.truth[study.truth["causal"]])
    head = {"ld": question, "scenario": SCENARIO, "replicate": number}
    drawn = {"panel_size": draw.size, "fst": draw.fst} if draw else {"panel_size": None, "fst": None}
    CALIBRATE_COUNTS.write(pd.DataFrame([head | drawn | {"weight": 0.0} | tally.counts]),
                           folder / f"{question}.{number}.counts.tsv")  # fmt: skip
    CALIBRATE_BINS.write(tally.bins.assign(**head), folder / f"{question}.{number}.bins.tsv")


if __name__ == "__main__":
    main()
