"""The command line: one locus (`finemap`), a prior's test (`calibrate`), `explain`, `verify`, and the stages."""

import argparse
import collections.abc
import dataclasses
import importlib
import inspect
import logging
import math
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from fineprior.files.errors import InputError
from fineprior.plan.explain import DESCRIPTION as EXPLAIN
from fineprior.plan.explain import add_arguments, explain
from fineprior.plan.stages import BEFORE, COMMANDS, STAGES, module_of, summary
from fineprior.plan.verify import DESCRIPTION as VERIFY
from fineprior.plan.verify import add_arguments as add_verify_arguments
from fineprior.plan.verify import verify
from fineprior.project.settings import FinemapSettings, Settings

DESCRIPTION = """Fine-map one locus with SuSiE: which variants are likely to be causal, given association
statistics, LD, and (if you have one) a prior probability of each variant.

Input
  --z    tab-separated table, one row for each variant, with a header:
           variant_id        any name; chrom:pos:ref:alt fills in position and alleles
           z                 or beta and se (for a disease: log odds ratio)
           n                 sample size (or --n); for cases and controls 4 / (1/cases + 1/controls)
           chrom pos ref alt are taken over where they are there
  --ld   correlations r (signed, not r2) among the same variants, counted on the same alleles as z:
         a .npy matrix, an .npz with R (and variant_id), or numbers as text (plink --r square)
  --prior  tab-separated table with variant_id and prior, 0 or more; sums to 1 or not

Output, for --out PREFIX
  PREFIX.variants.tsv.gz     PIP, posterior effect and credible set of each variant
  PREFIX.credible_sets.tsv   credible sets, with purity and Bayes factor
  PREFIX.loci_status.tsv     how it went: ok, corrected, single_effect, incomplete, no_signal or failed, and why
  PREFIX.fits.rds            for R: readRDS("PREFIX.fits.rds")[[1]] is an object of class "susie"
  PREFIX.fits.npz            the same for Python

LD of a reference panel is not that of your sample. By default the fit allows for that, leaves out variants whose
alleles look switched, and falls back to one effect where LD and z contradict one another; loci_status says so.
With LD of the very people of the GWAS, use --ld-of in_sample: the fit is then that of susieR's susie_rss. Variants
whose alleles look switched are left out all the same (unless --allele-switches keep), and where susie_rss does not
converge the fit goes on with an estimate of how far LD and z are apart (drift)."""

EXAMPLE = """example:
  fineprior finemap --z locus.tsv --ld locus.npy --n 140306 --panel-size 503 --out results/locus"""

CALIBRATE = """Simulate studies on the LD and the scores of one of yours, with causal variants that the scores say much,
little, nothing or the opposite of, take each through the pipeline's own steps (signals, enrichment leaving out each
chromosome, strength, SuSiE under each prior), and say what each prior finds and whether its PIPs hold.

The study's loci, LD and scores must be there (snakemake makes them). Settings are those of `calibrate` in config.yaml
unless given here. The workflow does the same on a cluster: snakemake results/STUDY/calibrate/summary.tsv

Output, in DIR (results/STUDY/calibrate)
  summary.tsv        coverage, power, set size, hits and false discoveries of each prior in each scenario
  pip.tsv            claimed PIP against the share of variants that are causal, with intervals
  calibration.svg    both as a figure"""

# Settings of the fit: allowed values, other name, meaning.
OPTIONS: dict[str, tuple[str | tuple[str, ...], str, str]] = {
    "max_effects": ("[1,", "--L", "largest number of causal variants in the locus"),
    "coverage": ("(0,1)", "", "coverage of credible sets"),
    "further_coverage": ("[0,1)", "", "coverage of a second credible set of the same effects; 0 for none"),
    "extend_r": ("[0,1)", "", "list variants with a larger |r| with one of a set as its partners; 0 for none"),
    "min_purity": ("[0,1]", "--min-abs-corr", "smallest |r| between two variants of a credible set"),
    "scaled_prior_variance": ("(0,", "", "(first) prior variance of an effect over that of the trait"),
    "estimate_prior_variance": ("", "", "estimate the prior variance of each effect"),
    "prior_variance_method": (("optim", "EM", "simple"), "", "how it is estimated"),
    "estimate_residual_variance": ("", "", "estimate the residual variance; for LD of the GWAS itself only"),
    "max_iterations": ("[1,", "--max-iter", "largest number of iterations"),
    "tolerance": ("(0,", "--tol", "rise of the ELBO below which the fit has converged"),
    "model": (("susie", "susie_inf"), "", "SuSiE, or SuSiE with infinitesimal effects"),
    "ld": (
        ("panel", "in_sample", "none"),
        "--ld-of",
        "whose LD it is: a panel's, or that of the GWAS itself",
    ),
    "panel_size": ("[0,", "", "people in the panel; 0 when not known (or from the .npz)"),
    "estimate_drift": ("", "", "estimate how far the panel's population is from that of the GWAS"),
    "allele_switches": (("exclude", "keep"), "", "what is done with variants whose z has the wrong sign for their LD"),
    "min_set_z": ("[0,", "", "smallest |z| of the lead variant of a credible set (LD of a panel)"),
    "min_own_share": ("[0,1]", "", "smallest |z| of the lead, over its |z| without the other effects (LD of a panel)"),
    "max_inconsistency": ("[0,1]", "", "largest inconsistency of z and LD (s_scaled) at which LD is used"),
    "fallback": ("", "", "fit one effect without LD where LD cannot be used; otherwise the locus fails"),
    "min_variants": ("[0,", "", "fewest variants of a locus without a remark"),
    "min_fitted": ("[0,1]", "", "smallest share of the rows of the GWAS that was fitted without a remark"),
    "min_density": ("[0,", "", "fewest variants per 1000 bp without a remark"),
    "max_empty": ("[0,1]", "", "largest share of the window that may be empty in one place without a remark; 0: any"),
}


def parser() -> argparse.ArgumentParser:
    """The arguments of `fineprior`."""
    top = argparse.ArgumentParser(
        prog="fineprior", usage="fineprior command [options]", description="Sequence-model priors for fine-mapping.",
        epilog=_stages_in_words(), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser(
        "finemap",
        help="fine-map one locus from files",
        usage="fineprior finemap --z FILE --out PREFIX [--ld FILE] [--n N] [--prior FILE] [options]",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    files = command.add_argument_group("files")
    files.add_argument("--z", required=True, metavar="FILE", help="table of z-scores")
    files.add_argument("--ld", metavar="FILE", dest="ld_file", help="LD matrix; without it one effect is fitted")
    files.add_argument("--ld-variants", metavar="FILE", help="names of the variants of --ld, one on each line; "
                       "needed when they are more than, or in another order than, those of --z")  # fmt: skip
    files.add_argument("--n", type=_in("(1,", float), help="sample size, when the table has no column n")
    files.add_argument("--prior", metavar="FILE", help="table of prior probabilities (default: all the same)")
    files.add_argument("--out", required=True, metavar="PREFIX", help="first part of the names of what is written")
    files.add_argument("--locus", default="locus", help="name of the locus in the tables (default: locus)")
    _add_settings(command.add_argument_group("settings (defaults are susieR's where it has them)"))
    _add_calibrate(commands)
    add_arguments(commands.add_parser(
        "explain", help="say what would rerun, and why", description=EXPLAIN, allow_abbrev=False,
        usage="fineprior explain [options] [target ...] [-- arguments of snakemake]",
    ))  # fmt: skip
    add_verify_arguments(commands.add_parser(
        "verify", help="compare each byte of results and inputs with what it was", description=VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    ))  # fmt: skip
    return top


def _add_calibrate(commands: Any) -> None:
    command = commands.add_parser(
        "calibrate",
        help="test a study's prior in simulated studies",
        description=CALIBRATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("--study", required=True, help="its name in studies.tsv")
    command.add_argument("--config", default="config/config.yaml", metavar="FILE", help="(%(default)s)")
    command.add_argument("--results", default="results", metavar="DIR", help="where its results are (%(default)s)")
    command.add_argument("--out", metavar="DIR", help="where to write (results/STUDY/calibrate)")
    command.add_argument("--jobs", type=_in("[1,", int), default=1, help="processes (%(default)s)")
    for name, kind, meaning in (
        ("replicates", _in("[1,", int), "studies simulated for each scenario"),
        ("heritability", _in("[0,1)", float), "variance explained by all loci; 0: by the study's own leads"),
        ("max-causal", _in("[1,", int), "largest number of causal variants in a locus"),
    ):
        command.add_argument(f"--{name}", type=kind, metavar="X", help=meaning)
    command.add_argument("--scenarios", nargs="+", metavar="NAME", help="enrichment_<times>, inverted, noise")
    command.add_argument("--ld", choices=("in_sample", "panel"), help="LD that simulated studies are fine-mapped with")


def _add_settings(group: Any) -> None:
    for field in dataclasses.fields(FinemapSettings):
        allowed, other, meaning = OPTIONS[field.name]
        names = [other] if other == "--ld-of" else [f"--{field.name.replace('_', '-')}", *([other] if other else [])]
        kind: dict[str, Any]
        if isinstance(field.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        elif isinstance(allowed, tuple):
            kind = {"choices": allowed}
        else:
            kind = {"metavar": "X", "type": _in(allowed, type(field.default))}
        group.add_argument(*names, dest=field.name, default=field.default, help=f"{meaning} (%(default)s)", **kind)


def _in(interval: str, kind: type) -> Callable[[str], Any]:
    """What turns text into a number of an interval: "(0,1]", or "[1," for 1 and more."""
    low, high = interval[1:].rstrip(")]").split(",")

    def number(text: str) -> Any:
        try:
            value = kind(text)
            above = value > float(low) if interval[0] == "(" else value >= float(low)
            below = not high or (value < float(high) if interval[-1] == ")" else value <= float(high))
        except ValueError:
            above = below = False
        if not (above and below and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"'{text}', {_in_words(interval, kind)} is needed")
        return value

    return number


def _in_words(interval: str, kind: type) -> str:
    low, high = interval[1:].rstrip(")]").split(",")
    words = "a whole number" if kind is int else "a number"
    words += f" above {low}" if interval[0] == "(" else f" of at least {low}"
    if high:
        words += f" and {'below' if interval[-1] == ')' else 'at most'} {high}"
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        0; 1 when the locus failed (the tables say why), or a file is not what it was (`verify`); 2 for wrong input,
        said in one line.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    command = argv[0] if argv and argv[0] in (*COMMANDS, "calibrate", "explain", "verify") else "finemap"
    level = logging.INFO if command in COMMANDS else logging.WARNING
    logging.basicConfig(level=level, format=f"fineprior {command}: %(message)s", stream=sys.stderr)
    try:
        if command in COMMANDS:
            return _run_stage(command, argv[1:])
        if command == "explain":
            cut = argv.index("--") if "--" in argv else len(argv)
            lines = explain(parser().parse_args(argv[:cut]), argv[cut + 1 :])
            sys.stdout.writelines(f"{line}\n" for line in lines)
            return 0
        arguments = parser().parse_args(argv)
        if arguments.command == "verify":
            lines, code = verify(arguments)
            sys.stdout.writelines(f"{line}\n" for line in lines)
            return code
        return _calibrate(arguments) if arguments.command == "calibrate" else _finemap(arguments)
    except (InputError, OSError) as error:
        sys.stderr.write(f"fineprior {command}: error: {error}\n")
    except MemoryError:
        sys.stderr.write(f"fineprior {command}: error: the LD matrix does not fit into memory\n")
    return 2


def _calibrate(arguments: argparse.Namespace) -> int:
    from fineprior.report.calibration import sentences
    from fineprior.steps.calibrate_study import calibrate_study, read_project, study_of

    project = read_project(arguments.config)
    names = ("scenarios", "replicates", "heritability", "max_causal", "ld")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    settings = dataclasses.replace(project.settings.calibrate, **given)
    out = arguments.out or f"{arguments.results}/{arguments.study}/calibrate"
    study = study_of(project, arguments.study, arguments.results)
    summary = calibrate_study(study, out, settings, jobs=arguments.jobs)
    sys.stdout.writelines(f"{sentence}\n" for sentence in sentences(summary))
    sys.stdout.write(f"written: {out}/summary.tsv and beside it\n")
    return 0


def _finemap(arguments: argparse.Namespace) -> int:
    from fineprior.steps.finemap_files import finemap_files

    settings = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(FinemapSettings)}
    if not arguments.locus:
        raise InputError("--locus: a name is needed")
    if arguments.ld_variants and not arguments.ld_file:
        raise InputError("--ld-variants: there is no --ld that they are of")
    fit = finemap_files(
        z=arguments.z,
        ld=arguments.ld_file,
        out=arguments.out,
        n=arguments.n,
        settings=FinemapSettings(**settings | ({} if arguments.ld_file else {"ld": "none"})),
        ld_variants=arguments.ld_variants,
        prior=arguments.prior,
        locus=arguments.locus,
    )
    sets = len(fit.fit.sets) if fit.fit is not None else 0
    because = f" ({fit.reason})" if fit.reason else ""
    sys.stdout.write(f"{arguments.locus}: {fit.status}{because}; {sets} credible set{'' if sets == 1 else 's'}\n")
    sys.stdout.writelines(f"  {remark}\n" for remark in fit.remarks)
    sys.stdout.write(f"written: {arguments.out}.variants.tsv.gz and beside it\n")
    return int(fit.fit is None)


def _stages_in_words() -> str:
    lines = [
        "the stages of the workflow, each on files (settings from --config and --set; `fineprior command --help`):"
    ]
    for stage, steps in (BEFORE | STAGES).items():
        lines += ["", f"  {stage}"]
        named = [(name, step) for name, step in COMMANDS.items() if step in steps]
        lines += [f"    {name:<23} {summary(step)}" for name, step in named]
    return "\n".join(lines)


def _run_stage(command: str, argv: list[str]) -> int:
    """Call the function behind a stage with arguments that its signature describes."""
    name = COMMANDS[command]
    function = getattr(importlib.import_module(f"fineprior.steps.{module_of(name)}"), name)
    kinds = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    top = argparse.ArgumentParser(
        prog=f"fineprior {command}", description=inspect.getdoc(function), allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    settings = {each.name: cls for each in parameters if (cls := _settings_class(kinds[each.name]))}
    for each in parameters:
        if each.name not in settings:
            default = None if each.default is inspect.Parameter.empty else each.default
            needed = each.default is inspect.Parameter.empty and not _optional(kinds[each.name])
            flag = f"--{each.name.replace('_', '-')}"
            top.add_argument(flag, dest=each.name, required=needed, default=default, **_taken(kinds[each.name]))
    if settings:
        top.add_argument(
            "--config", metavar="FILE", help="config.yaml with the settings (default: those of config/README.md)"
        )
        top.add_argument(
            "--set", metavar="BLOCK.KEY=VALUE", action="append", default=[], help="a setting; may be repeated"
        )
    given = vars(top.parse_args(argv))
    values = {each.name: given[each.name] for each in parameters if each.name not in settings}
    if settings:
        blocks = _settings(given["config"], given["set"])
        values |= {name: _block_of(blocks, cls) for name, cls in settings.items()}
    function(**values)
    return 0


def _settings_class(kind: Any) -> type | None:
    """The settings dataclass of a parameter, or None when it is no settings."""
    return next((each for each in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(each)), None)  # type: ignore[return-value]


def _optional(kind: Any) -> bool:
    return type(None) in typing.get_args(kind)


def _taken(kind: Any) -> dict[str, Any]:
    """What argparse needs to know of a parameter of this type."""
    if isinstance(kind, types.UnionType):
        # Of a path or a format's name or a mapping, a command line gives the text.
        kind = next(each for each in typing.get_args(kind) if each is not type(None))
    origin = typing.get_origin(kind)
    if origin in (list, collections.abc.Sequence):
        return {"nargs": "+", "metavar": "FILE"}
    if origin is collections.abc.Mapping:
        value = typing.get_args(kind)[1]
        several = typing.get_origin(value) is collections.abc.Sequence
        return {"nargs": "+", "metavar": "NAME=VALUE", "action": _Pairs, "kind": float if value is float else str,
                "several": several}  # fmt: skip
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": kind if kind in (int, float) else str, "metavar": {int: "N", float: "X"}.get(kind, "TEXT")}


class _Pairs(argparse.Action):
    """NAME=VALUE ... as a dict; of several values the same name may be repeated."""

    def __init__(self, *arguments: Any, kind: type = str, several: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.kind, self.several = kind, several

    def __call__(self, top: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        found: dict[str, Any] = {}
        for text in values:
            name, sign, value = text.partition("=")
            try:
                made = self.kind(value)
            except ValueError:
                sign = ""
            if not sign:
                top.error(
                    f"argument {option}: '{text}', NAME=VALUE is needed"
                    + (" with a number" if self.kind is float else "")
                )
            if name in found and not self.several:
                top.error(f"argument {option}: '{name}' is given twice")
            found[name] = [*found.get(name, []), made] if self.several else made
        setattr(namespace, self.dest, found)


def _settings(config: str | None, changes: list[str]) -> Settings:
    """Settings of a config file, with changes `block.key=value` laid over it; checked as those of the workflow."""
    from fineprior.files.yaml_files import parse_yaml, read_yaml
    from fineprior.project.project import settings_alone

    values: dict[str, Any] = read_yaml(config) if config else {}
    given: set[str] = set()
    for change in changes:
        place, sign, text = change.partition("=")
        block, dot, key = place.partition(".")
        if not sign:
            raise InputError(f"--set: '{change}', BLOCK.KEY=VALUE is needed")
        if place in given:
            raise InputError(f"--set: {place} is given twice")
        given.add(place)
        value = parse_yaml(text, f"--set {place}")
        before = values.get(block) or {}
        if dot and not isinstance(before, dict):
            raise InputError(f"--set: {place} is in no block; {block} is a setting by itself")
        values[block] = {**before, key: value} if dot else value
    return settings_alone(values)


def _block_of(settings: Settings, cls: type) -> Any:
    """The block of a class; the defaults of what config.yaml does not have."""
    if isinstance(settings, cls):
        return settings
    return next((value for value in vars(settings).values() if isinstance(value, cls)), None) or cls()


if __name__ == "__main__":
    sys.exit(main())
