"""Settings of the data: genome, summary statistics, loci and LD. Others are in `project.settings`."""

from dataclasses import dataclass

from fineprior.project.schemas import setting


@dataclass(frozen=True)
class GenomeSettings:
    """Reference genome of all studies."""

    fasta: str = setting("", "FASTA file. An index (.fai) is made beside it where there is none.", required=True)
    build: str = setting("GRCh38", "Name of the build. A meta file that names another assembly stops the run.")
    genes: str = setting(
        "",
        "GTF, GFF3 or BED12 file of genes of this build, plain or gzip. Variants and credible sets then have genes and "
        "consequences. Each gene of the file can be the nearest one.",
    )


@dataclass(frozen=True)
class HarmoniseSettings:
    """How summary statistics are brought to the alleles of the FASTA and the panel."""

    palindromic: str = setting(
        "frequency",
        "Treatment of A/T and C/G variants.",
        choices={
            "frequency": "their strand is inferred from the allele frequencies in the GWAS and the panel",
            "drop": "they are excluded",
            "trust": "their alleles are taken to be on the strand of the FASTA",
            "keep": "an earlier name of trust",
        },
    )
    palindromic_max_maf: float = setting(
        0.42, "Largest minor allele frequency at which `frequency` infers the strand.", above=0, at_most=0.5
    )
    min_maf: float = setting(
        0.01,
        "Smallest minor allele frequency in the panel. It is that in the GWAS where LD files have no frequencies.",
        at_least=0,
        at_most=0.5,
    )
    min_info: float = setting(
        0.6, "Smallest imputation quality, where the source has a column `info`.", at_least=0, at_most=1
    )


@dataclass(frozen=True)
class LociSettings:
    """How loci are found and grouped."""

    p_threshold: float = setting(5e-8, "Largest p-value of a lead variant.", above=0, at_most=1)
    flank: int = setting(
        250_000, "Distance to each side of a lead variant. Overlapping windows are merged.", unit="bp", at_least=1
    )
    max_width: int = setting(
        2_000_000,
        "Largest width of a locus. A wider one is trimmed around its strongest variant.",
        unit="bp",
        at_least=1000,
    )
    exclude: str = setting(
        "mhc",
        "Regions of resources/long_range_ld.tsv in which no locus is found. They are known for GRCh37 and GRCh38.",
        choices={
            "mhc": "the major histocompatibility complex",
            "long_range": "the same and 24 further regions of long-range LD",
            "none": "no region",
        },
    )
    exclude_bed: str = setting("", "BED file of further regions in which no locus is found.")
    x: str = setting(
        "keep",
        "Treatment of the X chromosome.",
        choices={
            "keep": "loci are found on it, and men count as 0 or 2 copies, as PLINK files hold them",
            "drop": "it is excluded",
        },
    )
    blocks: str = setting(
        "",
        "BED file of LD blocks that do not overlap. Each block with a variant below p_threshold is a locus, in place "
        "of windows.",
    )
    batches: int = setting(
        2, "Number of batches. A locus stays in its batch, whatever other loci there are.", at_least=1, at_most=10_000
    )


@dataclass(frozen=True)
class LdSettings:
    """How much memory LD may take."""

    max_memory_mb: int = setting(
        4000,
        "Largest memory for LD and fit of one locus. Where a locus is estimated to need more, the variants farthest "
        "from its lead are excluded.",
        unit="MB",
        at_least=300,
    )
