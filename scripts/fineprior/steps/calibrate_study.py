"""Command calibrate: all simulated studies of a study, without the workflow."""

from pathlib import Path

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.yaml_files import read_yaml
from fineprior.finemap.workers import fit_loci
from fineprior.project.project import Project, load_project
from fineprior.project.settings import CalibrateSettings, FinemapSettings, as_params
from fineprior.simulate.scenarios import CalibratedStudy, StudyFiles, scenario_of
from fineprior.steps.calibrate import calibrate
from fineprior.steps.summarise_calibration import summarise_calibration


def read_project(path: str | Path) -> Project:
    """The project of a config.yaml; its paths start from the working directory.

    Raises
    ------
    InputError
        The file cannot be read, or something in it is wrong.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file (run it in the folder of the project, or give --config)")
    return load_project(read_yaml(path))


def study_of(project: Project, name: str, results: str | Path = "results") -> CalibratedStudy:
    """A study of a project, whose loci, LD and scores the workflow has made.

    Raises
    ------
    InputError
        There is no such study, or a file is not there.
    """
    settings, row, folder = project.settings, project.study(name), Path(results) / name

    def made(pattern: str) -> list[str]:
        files = [str(folder / pattern.format(batch=batch)) for batch in range(settings.loci.batches)]
        absent = [file for file in files if not Path(file).is_file()]
        if absent:
            raise InputError(f"{absent[0]}: no such file; make it with snakemake (study '{name}')")
        return files

    enriched = settings.priors.source == "enrichment"
    annotated = bool(project.annotations) or not enriched
    known = FinemapSettings(ld=settings.finemap.ld, panel_size=settings.finemap.panel_size)
    return CalibratedStudy(
        files=StudyFiles(
            made("loci/{batch}.tsv.gz"),
            made("ld/{batch}.npz"),
            made("scores/{batch}.tsv.gz") if enriched else None,
            made("annotations/{batch}.tsv.gz") if annotated else None,
        ),
        kinds={annotation.name: annotation.kind for annotation in project.annotations},
        priors=settings.priors,
        finemap=FinemapSettings(**row.finemap_settings(as_params(settings.finemap))),
        signals=FinemapSettings(**row.finemap_settings(as_params(known))),
        seed=settings.seed,
        panel=row.ld_panel,
        samples=row.samples,
    )


def calibrate_study(
    study: CalibratedStudy,
    out: str | Path,
    settings: CalibrateSettings,
    *,
    jobs: int = 1,
    keep: bool = False,
) -> pd.DataFrame:
    """Simulate all studies, then write summary.tsv, pip.tsv and calibration.svg of them.

    Parameters
    ----------
    study
        The real study.
    out
        Folder of what is written.
    settings
        Scenarios, replicates and the rest.
    jobs
        Processes; the result does not depend on it.
    keep
        Do not simulate again what is in the folder (it must be of the same study and settings).

    Returns
    -------
    DataFrame
        CALIBRATE_SUMMARY.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = list(dict.fromkeys(settings.scenarios))
    for scenario in scenarios:
        scenario_of(scenario)
    questions, numbers = settings.questions(study.finemap.ld), range(settings.replicates)
    # Question by question and scenario by scenario within a replicate: a run that was stopped has something of each.
    tasks = [(question, name, one) for one in numbers for name in scenarios for question in questions]

    def path(task: tuple[str, str, int], kind: str) -> str:
        return str(folder / f"{task[0]}.{task[1]}.{task[2]}.{kind}.tsv")

    def run(task: tuple[str, str, int]) -> None:
        calibrate(
            question=task[0],
            scenario=task[1],
            replicate=task[2],
            variants=study.files.variants,
            ld=study.files.ld,
            scores=study.files.scores,
            annotations=study.files.annotations,
            kinds=study.kinds,
            counts=path(task, "counts"),
            bins=path(task, "bins"),
            settings=settings,
            priors=study.priors,
            finemap=study.finemap,
            signals=study.signals,
            panel=study.panel,
            samples=study.samples or None,
            seed=study.seed,
        )

    waiting = [task for task in tasks if not (keep and Path(path(task, "bins")).is_file())]
    list(fit_loci(run, waiting, jobs))
    ordered = [(question, name, one) for question in questions for name in scenarios for one in numbers]
    return summarise_calibration(
        counts=[path(task, "counts") for task in ordered],
        bins=[path(task, "bins") for task in ordered],
        summary=str(folder / "summary.tsv"),
        pip=str(folder / "pip.tsv"),
        plot=str(folder / "calibration.svg"),
        seed=study.seed,
    )
