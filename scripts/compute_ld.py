"""Rule compute_ld: LD of a batch of loci, from a panel or from LD files."""

from fineprior.files.logs import log_to
from fineprior.project.settings import LdSettings
from fineprior.steps.compute_ld import compute_ld

with log_to(snakemake.log[0], f"compute_ld {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    compute_ld(
        variants=snakemake.input.variants,
        panel=snakemake.params.panel,
        samples=snakemake.input.samples or None,
        ld=snakemake.params.ld,
        fst=snakemake.input.fst or None,
        output=snakemake.output.ld,
        settings=LdSettings(**snakemake.params.settings),
    )
