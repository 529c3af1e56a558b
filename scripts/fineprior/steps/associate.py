"""Rule associate: from a study's own genotypes and phenotype to summary statistics."""

import yaml

from fineprior.files.tables import ASSOCIATION
from fineprior.files.whole import atomic_path
from fineprior.genotypes import association
from fineprior.genotypes.dosages import warn_of_heterozygous_males
from fineprior.genotypes.panels import open_panel
from fineprior.genotypes.samples import Cohort, read_cohort


def associate(
    *,
    genotypes: str,
    phenotype: str,
    covariates: str | None,
    output: str,
    meta: str,
    people: str,
    samples: str | None = None,
    build: str = "",
) -> None:
    """Test each variant; write ASSOCIATION with its GWAS-SSF meta file, and the names of the tested samples.

    Parameters
    ----------
    genotypes, samples
        Genotypes in any form of a panel, and the list of the samples to keep (all without it).
    phenotype, covariates
        Tables of these samples, see `genotypes.samples`.
    output, meta, people
        Files to write. `people` has one name on a line: LD is then that of these samples.
    build
        Name of the genome build that the genotypes are in.

    Raises
    ------
    InputError
        A file cannot be read, or files do not fit to one another.
    """
    panel = open_panel(genotypes, samples)
    warn_of_heterozygous_males(panel)
    cohort = read_cohort(panel.sample_ids, phenotype, covariates)
    found = association.associate(panel, cohort)
    ASSOCIATION.write(found, output)
    with atomic_path(meta) as temporary:
        temporary.write_text(yaml.safe_dump(_metadata(cohort, build), sort_keys=False, allow_unicode=True))
    with atomic_path(people) as temporary:
        temporary.write_text("".join(f"{panel.sample_ids[row]}\n" for row in cohort.rows))


def _metadata(cohort: Cohort, build: str) -> dict[str, object]:
    """The part of a GWAS-SSF meta file that is known."""
    values: dict[str, object] = {
        "genome_assembly": build,
        "coordinate_system": "1-based",
        "trait_description": [cohort.name],
        "sample_size": len(cohort.rows),
        "case_control_study": cohort.binary,
    }
    if cohort.binary:
        values |= {"case_count": cohort.cases, "control_count": cohort.controls}
    return values
