"""Rule export: a study's results in the format of another program, in a folder of their own."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI, main_sets
from fineprior.files.whole import atomic_path
from fineprior.finemap.fits import FitFiles
from fineprior.plan.results import EXPORTS
from fineprior.report import exports


def export(
    *,
    form: str,
    study: str,
    output: str,
    variants: str = "",
    credible_sets: str = "",
    loci: str = "",
    sumstats: str = "",
    fits: Sequence[str] = (),
    model: str = "susie",
    build: str = "",
) -> None:
    """Write a study's results in the format of another program.

    Parameters
    ----------
    form
        bed, flames, open_targets, polyfun or ssf; docs/outputs.md says what each writes.
    study
        Name of the study.
    output
        Folder to write; one that exists is replaced.
    variants, credible_sets, loci, sumstats, fits
        Files of FINEMAP_VARIANTS, CREDIBLE_SETS, LOCI, SUMSTATS and fits (npz); `plan.results.EXPORTS` says which of
        them a form needs.
    model
        `finemap.model`, for open_targets.
    build
        Genome build, for ssf.

    Raises
    ------
    InputError
        The form is unknown, or a file that it needs is not given or cannot be read.
    """
    given = {"variants": variants, "credible_sets": credible_sets, "loci": loci, "sumstats": sumstats, "fits": fits}
    if form not in EXPORTS:
        raise InputError(f"export: '{form}' is not known; allowed: {', '.join(EXPORTS)}")
    missing = [name for name in EXPORTS[form] if not given[name]]
    if missing:
        raise InputError(f"export: {form} needs {missing[0]}")
    with atomic_path(output) as folder:
        folder.mkdir()
        try:
            _write(form, study, folder, given, model, build)
            shutil.rmtree(output, ignore_errors=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _write(form: str, study: str, folder: Path, given: Mapping[str, Any], model: str, build: str) -> None:
    if form == "ssf":
        exports.write_ssf(folder / f"{study}.tsv.gz", given["sumstats"], study, build)
        return
    variants = FINEMAP_VARIANTS.read(given["variants"])
    sets = main_sets(CREDIBLE_SETS.read(given["credible_sets"]))
    if form == "bed":
        exports.write_bed(folder / "credible_sets.bed", variants, sets)
        return
    loci = LOCI.read(given["loci"])
    if form == "flames":
        exports.write_flames(folder, variants, sets, loci)
    elif form == "polyfun":
        exports.write_polyfun(folder / "finemapped.tsv.gz", variants, sets, loci, given["sumstats"])
    else:
        exports.write_study_locus(
            folder / "study_locus.parquet", study=study, model=model, variants=variants, credible_sets=sets, loci=loci,
            sumstats=given["sumstats"], fits=FitFiles(given["fits"]),
        )  # fmt: skip
