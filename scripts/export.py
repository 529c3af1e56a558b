"""Rule export: a study's results in the format of another program."""

from fineprior.files.logs import log_to
from fineprior.steps.export_results import export

with log_to(snakemake.log[0], f"export {snakemake.wildcards.study} {snakemake.wildcards.form}"):
    export(
        form=snakemake.wildcards.form,
        study=snakemake.wildcards.study,
        output=snakemake.output[0],
        variants=snakemake.input.get("variants", ""),
        credible_sets=snakemake.input.get("credible_sets", ""),
        loci=snakemake.input.get("loci", ""),
        sumstats=snakemake.input.get("sumstats", ""),
        fits=list(snakemake.input.get("fits", [])),
        model=snakemake.params.model,
        build=snakemake.params.build,
    )
