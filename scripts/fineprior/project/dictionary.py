"""The pages that are made from definitions: docs/outputs.md from the tables, config/README.md from the settings.

`python -m fineprior.project.dictionary` writes both (run it in the repository).
"""

from pathlib import Path
from typing import Any

from fineprior.files.table import Table
from fineprior.files.tables import all_tables
from fineprior.project.schemas import RANGE_WORDS, schema_of
from fineprior.project.settings import Settings
from fineprior.project.sheets import Annotation, Study, Track

FILES = {
    "association": "results/{study}/association.tsv.gz",
    "sumstats": "results/{study}/sumstats.parquet",
    "sumstats_qc": "results/{study}/sumstats_qc.tsv",
    "dropped": "results/{study}/dropped.tsv.gz",
    "liftover": "results/{study}/liftover.tsv.gz",
    "panel_fst": "results/{study}/panel_fst.tsv",
    "loci": "results/{study}/loci.tsv",
    "excluded_regions": "results/{study}/excluded_regions.tsv",
    "lost": "results/{study}/loci/{batch}.lost.tsv.gz",
    "locus_variants": "results/{study}/loci/{batch}.tsv.gz",
    "variant_genes": "results/{study}/variant_genes.tsv.gz",
    "locus_genes": "results/{study}/locus_genes.tsv",
    "head_metrics": "results/heads/{head}/metrics.tsv",
    "variant_head_metrics": "results/labels/metrics.tsv",
    "causal_probabilities": "results/{study}/causal_probabilities.tsv.gz",
    "head_history": "results/heads/{head}/history.tsv",
    "head_baselines": "results/heads/{head}/baselines.tsv",
    "learning_curve": "results/heads/{head}/learning_curve.tsv",
    "head_folds": "results/heads/{head}/folds.tsv",
    "head_scatter": "results/heads/{head}/scatter.tsv",
    "shift": "results/{study}/shift.tsv",
    "scores": "results/{study}/scores/{batch}.tsv.gz",
    "variant_scores": "results/{study}/scores.tsv.gz",
    "window_comparison": "results/{study}/window_comparison.tsv",
    "annotations": "results/{study}/annotations/{batch}.tsv.gz",
    "heritability_coefficients": "results/{study}/prior/heritability_coefficients.tsv",
    "heritability": "results/{study}/prior/heritability.parquet",
    "enrichment": "results/{study}/prior/enrichment.tsv",
    "coefficients": "results/{study}/prior/coefficients.tsv",
    "prior_steps": "results/{study}/prior/steps.tsv",
    "verdict": "results/{study}/prior/verdict.tsv",
    "prior": "results/{study}/prior/{prior}/{batch}.tsv.gz",
    "finemap_variants": "results/{study}/{prior}/variants.tsv.gz",
    "credible_sets": "results/{study}/{prior}/credible_sets.tsv",
    "loci_status": "results/{study}/{prior}/loci_status.tsv",
    "comparison": "results/{study}/comparison.tsv",
    "truth": "resources/embedded/truth.tsv",
    "truth_comparison": "results/{study}/truth_comparison.tsv",
    "calibration": "results/{study}/calibration.tsv",
    "used_files": "results/provenance/files.tsv",
    "software": "results/provenance/software.tsv",
    "rule_code": "results/provenance/code.tsv",
    "module_code": "results/provenance/modules.tsv",
    "calibrate_counts": "results/{study}/calibrate/{ld}.{scenario}.{replicate}.counts.tsv",
    "calibrate_bins": "results/{study}/calibrate/{ld}.{scenario}.{replicate}.bins.tsv",
    "calibrate_summary": "results/{study}/calibrate/summary.tsv",
    "calibrate_pip": "results/{study}/calibrate/pip.tsv",
}

INTRODUCTION = """# Outputs

Tables are tab-separated with a header (`NA` = missing, TRUE/FALSE), gzipped where the name says so, and are read in R
by `read.delim` as they are; the genome-wide one is parquet. Positions are 1-based, intervals 0-based half-open, and
the effect allele is the alternative allele (`alt`) everywhere: z, beta, frequencies, LD and scores count it.
`{prior}` is uniform, functional, shuffled, or the name of a control. This page is made from the table definitions
(`python -m fineprior.project.dictionary`).

Further files, which are not tables:

| file | content |
| --- | --- |
| `results/{study}/ld/{batch}.npz` | of each locus `<locus>/R`, or `genotypes` (variants, samples); `variant_id` |
| `results/{study}/diagnoses/{batch}.npz` | do z and LD belong together: `<locus>/s`, `<locus>/switched`, ... |
| `results/{study}/prior/ld_scores/{chrom}.l2.ldscore.parquet`, `.l2.M` | LD scores of annotations, in PolyFun's form |
| `results/{study}/sequences/{batch}.npz` | one slab of bases for each locus and the variants on it |
| `results/{study}/embeddings/{batch}.npz` | embedding of the reference, and alternative minus reference |
| `results/store/{key}/part-*.npz` | finished embeddings, by content (docs/running.md); no result needs them again |
| `results/{study}/finemap/{prior}/{batch}.fits.npz` | fits: `<locus>/alpha`, ..., `<locus>/variant_id` |
| `results/{study}/{prior}/fits.rds` | the fits for R: a list with an object of class "susie" for each locus |
| `results/regions/embeddings.npz` | embeddings of the training regions |
| `results/heads/{head}/head.safetensors` | weight and bias of the head, with the backbone's digest |
| `results/heads/{head}/tensorboard/` | TensorBoard event files of the training, with `evaluation.tensorboard` |
| `results/{study}/report.html` | the report |
| `results/{study}/calibrate/calibration.svg` | figure of `calibrate_summary` and `calibrate_pip` |
| `results/{study}/methods.md` | the methods of the study for a paper: what was run, with numbers and citations |
| `results/provenance/config.yaml` | all settings with their defaults: a config.yaml that gives the same results |
| `results/provenance/sheets.yaml` | the rows of studies.tsv and tracks.tsv |

What `exports` of the config asks for (of the functional prior; chromosomes without `chr`, except in BED):

| folder `results/{study}/export/` | content |
| --- | --- |
| `bed/` | `credible_sets.bed`: a line for each variant of a set, named `variant;locus:set`; the score is 1000 PIP |
| `flames/` | `indexfile.txt`, `loci.txt`, and a file for each set (cred1 = chr:pos:alt:ref, prob1 = PIP) |
| `open_targets/` | `study_locus.parquet`: StudyLocus of Open Targets' gentropy, a row for each set |
| `polyfun/` | `finemapped.tsv.gz`: the columns of PolyFun's finemapper; A1 is the effect allele, SNPVAR the prior |
| `ssf/` | `{study}.tsv.gz` and its `-meta.yaml`: the harmonised summary statistics as GWAS-SSF |
"""


def section(table: Table) -> str:
    """One table as Markdown: heading, meaning, columns."""
    lines = [f"## `{table.name}`", "", f"`{FILES[table.name]}`", "", table.meaning, "", "| column | kind | meaning |"]
    lines.append("| --- | --- | --- |")
    for column in table.columns:
        meaning = column.meaning.replace("|", "\\|")
        lines.append(f"| `{column.name}` | {column.kind} | {meaning} |")
    if table.open_ended:
        lines += ["", f"Further columns: {table.open_ended}."]
    return "\n".join(lines)


def outputs_page() -> str:
    """Return docs/outputs.md."""
    return INTRODUCTION + "\n" + "\n\n".join(section(table) for table in all_tables()) + "\n"


CONFIG_INTRODUCTION = """# Configuration

`config.yaml` names two sheets and holds the settings of each stage. An unknown key, a value of another type or out of
its range, and a file that does not exist stop the run with one line before any job starts. Paths are relative to the
folder that Snakemake runs in (`--directory`). YAML reads `5e-8` as text: write `5.0e-8`. This page is made from the
definitions in scripts/fineprior/project (`python -m fineprior.project.dictionary`).
"""


def config_page() -> str:
    """Return config/README.md."""
    lines = [CONFIG_INTRODUCTION]
    for row, title in ((Study, "studies.tsv"), (Track, "tracks.tsv"), (Annotation, "annotations")):
        rules = schema_of(row, cells=True)
        lines += [
            f"## `{title}`",
            "",
            rules["description"],
            "",
            "| column | required | meaning |",
            "| --- | --- | --- |",
        ]
        for name, column in rules["properties"].items():
            required = "yes" if name in rules["required"] else "no"
            lines.append(f"| `{name}` | {required} | {column['description']} |")
        lines.append("")
    rules = schema_of(Settings)
    plain = {key: rule for key, rule in rules["properties"].items() if "properties" not in rule}
    lines += ["## `config.yaml`", "", *_keys(plain, rules["required"])]
    for key, rule in rules["properties"].items():
        if "properties" in rule:
            lines += ["", f"### `{key}`", "", rule["description"], ""]
            lines += _keys(rule["properties"], rule.get("required", []))
    return "\n".join(lines) + "\n"


def _keys(properties: dict[str, Any], required: list[str]) -> list[str]:
    lines = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, rule in properties.items():
        empty = rule["default"] in ("", {}, [])
        default = "required" if name in required else "none" if empty else f"`{_in_yaml(rule['default'])}`"
        meaning = rule["description"].replace("|", "\\|")
        lines.append(f"| `{name}` | {default} | {_allowed(rule)} | {meaning} |")
    return lines


def _in_yaml(value: Any) -> str:
    """A value as it can stand in config.yaml."""
    import yaml

    return str(yaml.safe_dump(value, default_flow_style=True, width=1000)).removesuffix("...\n").strip()


def _allowed(rule: dict[str, Any]) -> str:
    if "enum" in rule:
        return " or ".join(rule["enum"])
    if rule["type"] == "array":
        return f"list of {', '.join(rule['items'].get('enum', ['names']))}"
    unit = f" ({rule['unit']})" if "unit" in rule else ""
    bounds = [f"{words} {rule[word]:g}" for word, words in RANGE_WORDS.items() if word in rule]
    return ", ".join([_KINDS[rule["type"]] + unit, *bounds])


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "block",
}


PAGES = {"docs/outputs.md": outputs_page, "config/README.md": config_page}

if __name__ == "__main__":
    for path, make in PAGES.items():
        Path(path).write_text(make())
