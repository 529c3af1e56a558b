"""The stages of the pipeline: which function of `fineprior.steps` is behind each rule and each command."""

import ast
import functools
from pathlib import Path

STEPS = Path(__file__).parents[1] / "steps"

STAGES: dict[str, tuple[str, ...]] = {
    "a study's data": ("associate.associate", "study.harmonise_sumstats", "study.define_loci",
                       "study.collect_variants", "study.compute_ld"),
    "from tracks to a head": (
        "transfer.embed_regions", "transfer.train_head", "transfer.evaluate_head", "shift.assess_shift",
    ),
    "from labelled variants to a head": (
        "variant_head.embed_labels", "variant_head.train_labels", "variant_head.predict_causal",
    ),
    "from variants to scores": (
        "annotate.fetch_backbone", "annotate.extract_sequences", "annotate.embed_variants", "annotate.score_variants",
        "annotate.gather_scores", "annotate.compare_windows",
    ),
    "prior": (
        "heritability.compute_ld_scores", "heritability.fit_heritability", "prior.annotate_variants",
        "signals.find_signals", "prior.fit_prior", "prior.assign_prior",
    ),
    "fine-mapping": ("finemap.finemap", "finemap.gather"),
    "results": (
        "summarise.compare_priors", "summarise.compare_truth", "report.report", "export.export", "methods.methods",
        "provenance.provenance",
    ),
    "calibration": ("calibrate.calibrate", "summarise_calibration.summarise_calibration"),
    "the embedded study": ("simulate.simulate_genome", "simulate.simulate_tracks", "simulate.simulate_study"),
    "a backbone from scratch": (
        "pretrain.fetch_pretraining_data", "pretrain.select_motifs", "pretrain.pretrain_backbone",
        "pretrain.pretrain_masked",
    ),
}  # fmt: skip
"""Stage -> `<module of fineprior.steps>.<function>`, the function's name being that of the rule."""

BEFORE: dict[str, tuple[str, ...]] = {"before the first run": ("regions.split_regions",)}
"""Commands that make a project's files, and that no rule runs."""

_OTHER_NAMES = {"finemap.finemap": "finemap-batch", "calibrate.calibrate": "calibrate-batch"}

COMMANDS = {
    _OTHER_NAMES.get(step, step.split(".")[1].replace("_", "-")): step
    for steps in (BEFORE | STAGES).values()
    for step in steps
}
"""Command -> step; `finemap` is the command for one locus from files, `calibrate` that for a whole study."""


@functools.cache
def _parsed(module: str) -> ast.Module:
    """A module of steps; several of its functions are asked for at each start."""
    return ast.parse((STEPS / f"{module}.py").read_text())


def summary(step: str) -> str:
    """First line of a step's documentation, without importing it."""
    module, function = step.split(".")
    found = next(node for node in _parsed(module).body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(found) or "").split("\n", maxsplit=1)[0]
