"""The stages of the pipeline: which function of `fineprior.steps` is behind each rule and each command."""

import ast
import functools
from pathlib import Path

STEPS = Path(__file__).parents[1] / "steps"

STAGES: dict[str, tuple[str, ...]] = {
    "a study's data": ("associate", "harmonise_sumstats", "compare_panel",
                       "define_loci", "collect_variants", "annotate_genes", "compute_ld"),
    "from tracks to a head": (
        "embed_regions", "train_head", "evaluate_head", "assess_shift",
    ),
    "from labelled variants to a head": (
        "embed_labels", "train_labels", "predict_causal",
    ),
    "from variants to scores": (
        "fetch_backbone", "extract_sequences", "embed_variants", "score_variants",
        "gather_scores", "compare_windows",
    ),
    "prior": (
        "compute_ld_scores", "fit_heritability", "annotate_variants",
        "find_signals", "fit_prior", "assign_prior",
    ),
    "fine-mapping": ("diagnose_ld", "finemap", "gather"),
    "results": (
        "compare_priors", "compare_truth", "report", "export", "methods",
        "provenance",
    ),
    "calibration": ("calibrate", "summarise_calibration"),
    "the embedded study": ("simulate_genome", "simulate_tracks", "simulate_study"),
    "a backbone from scratch": ("pretrain_masked",),
}  # fmt: skip
"""The rules of each stage; the function of a rule has its name and is in one of the modules of `fineprior.steps`."""

BEFORE: dict[str, tuple[str, ...]] = {"before the first run": ("split_regions",)}
"""Commands that prepare a project's files; no rule runs them."""

_OTHER_NAMES = {"finemap": "finemap-batch", "calibrate": "calibrate-batch"}

COMMANDS = {
    _OTHER_NAMES.get(step, step.replace("_", "-")): step for steps in (BEFORE | STAGES).values() for step in steps
}
"""Command -> step; `finemap` is the command for one locus from files, `calibrate` that for a whole study."""


@functools.cache
def module_of(step: str, root: Path = STEPS) -> str:
    """The module of `fineprior.steps` that has the function of a rule.

    Raises
    ------
    LookupError
        None has it, or more than one.
    """
    found = [path.stem for path in root.glob("*.py") if f"\ndef {step}(" in path.read_text()]
    if len(found) != 1:
        raise LookupError(f"{step}: a function of {len(found)} modules in {root}; one is needed")
    return found[0]


@functools.cache
def _parsed(module: str) -> ast.Module:
    """A parsed module of steps, kept because each start reads several of its functions."""
    return ast.parse((STEPS / f"{module}.py").read_text())


def summary(step: str) -> str:
    """First line of a step's documentation, without importing it."""
    functions = (node for node in _parsed(module_of(step)).body if isinstance(node, ast.FunctionDef))
    found = next(node for node in functions if node.name == step)
    return (ast.get_docstring(found) or "").split("\n", maxsplit=1)[0]
