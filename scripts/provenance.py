"""Rule provenance: settings, software, code and files that results rest on."""

from fineprior.files.logs import log_to
from fineprior.plan.provenance import module_digests
from fineprior.project.settings import Settings, from_dict
from fineprior.steps.write_provenance import provenance

with log_to(snakemake.log[0], "provenance"):
    provenance(
        settings=from_dict(Settings, snakemake.params.settings),
        sheets=snakemake.params.sheets,
        files={role: list(snakemake.input.get(role, [])) for role in snakemake.params.roles},
        software=snakemake.params.software,
        code=snakemake.params.code_of_rules,
        modules=module_digests(),
        output=snakemake.output.config,
        output_sheets=snakemake.output.sheets,
        output_files=snakemake.output.files,
        output_software=snakemake.output.software,
        output_code=snakemake.output.code,
        output_modules=snakemake.output.modules,
    )
