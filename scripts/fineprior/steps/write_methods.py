"""Rule methods: the methods of a study, as text for a paper."""

from collections.abc import Mapping
from types import MappingProxyType

from fineprior.files import tables
from fineprior.files.whole import atomic_path
from fineprior.project.settings import Settings
from fineprior.report.methods import StudyFacts, methods_page
from fineprior.sumstats.metadata import SampleSizes
from fineprior.sumstats.reader import open_sumstats


def methods(
    *,
    study: str,
    qc: str,
    loci: str,
    status: str,
    credible_sets: str,
    uniform_sets: str,
    verdict: str,
    head_metrics: str,
    output: str,
    settings: Settings,
    versions: Mapping[str, str],
    source: Mapping[str, str] = MappingProxyType({}),
    fst: str | None = None,
    sumstats: str | None = None,
    layout: str | Mapping[str, str] | None = None,
    sizes: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Write what was done in a study, with numbers and citations, as Markdown.

    Parameters
    ----------
    study
        Name of the study.
    qc, loci, status, credible_sets, uniform_sets, verdict, head_metrics
        Files of SUMSTATS_QC, LOCI, LOCI_STATUS and CREDIBLE_SETS of the functional prior, CREDIBLE_SETS of the uniform
        one, VERDICT and HEAD_METRICS.
    output
        File to write.
    settings
        All settings of this study.
    versions
        Versions of fineprior and snakemake.
    source
        The filled columns of the study's row: panel, ld, genotypes, covariates, build, chain.
    fst
        PANEL_FST; None where LD is not of a panel.
    sumstats, layout, sizes
        Summary statistics as for `open_sumstats`, to name their format; None for a study of genotypes.
    """
    found = open_sumstats(sumstats, layout=layout, sizes=SampleSizes(**sizes)).format if sumstats else ""
    facts = StudyFacts(
        study=study,
        sumstats_format=found,
        source=source,
        settings=settings,
        versions=versions,
        qc=tables.SUMSTATS_QC.read(qc),
        loci=tables.LOCI.read(loci),
        status=tables.LOCI_STATUS.read(status),
        credible_sets=tables.CREDIBLE_SETS.read(credible_sets),
        uniform_sets=tables.CREDIBLE_SETS.read(uniform_sets),
        verdict=tables.VERDICT.read(verdict),
        head_metrics=tables.HEAD_METRICS.read(head_metrics),
        fst=tables.PANEL_FST.read(fst) if fst else tables.PANEL_FST.empty(),
    )
    with atomic_path(output) as temporary:
        temporary.write_text(methods_page(facts), encoding="utf-8")
