"""The command line: one locus (`finemap`), a prior's test (`calibrate`), `explain`, `verify`, and the stages."""

import argparse
import collections.abc
import dataclasses
import importlib
import inspect
import logging
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fineprior.files.errors import InputError
from fineprior.plan.explain import EXPLAIN, add_explain_arguments, explain
from fineprior.plan.stages import BEFORE, COMMANDS, STAGES, module_of, summary
from fineprior.plan.verify import VERIFY, add_verify_arguments, verify
from fineprior.project.schemas import Rule, rule_of
from fineprior.project.settings import CalibrateSettings, FinemapSettings, Settings

DESCRIPTION = """Fine-map one locus with SuSiE: find the variants that are likely to be causal.
It takes association statistics, LD and (if you have one) a prior probability of each variant.

Input
  --z      tab-separated table with a header and one row for each variant:
             variant_id         any name; chrom:pos:ref:alt also gives position and alleles
             z                  or beta and se (for a disease: log odds ratio)
             n                  sample size (or --n); for cases and controls 4 / (1/cases + 1/controls)
             chrom pos ref alt  copied to the output where they are there
             eaf panel_af       frequencies of one allele in GWAS and panel, for F_ST (or --fst)
  --ld     correlations r (signed, not r2) between the same variants, for the same alleles as z:
           a .npy matrix, an .npz with R (and variant_id), or numbers as text (plink --r square)
  --prior  tab-separated table with variant_id and prior; priors are 0 or more and need not sum to 1

Output, for --out PREFIX
  PREFIX.variants.tsv.gz     PIP, posterior effect and credible set of each variant
  PREFIX.credible_sets.tsv   credible sets, with purity and Bayes factor
  PREFIX.loci_status.tsv     status (ok, corrected, single_effect, incomplete, no_signal or failed) and its reason
  PREFIX.fits.rds            for R: readRDS("PREFIX.fits.rds")[[1]] is an object of class "susie"
  PREFIX.fits.npz            the same for Python

The LD of a reference panel is not that of your sample. By default the fit allows for the difference, excludes variants
whose alleles look switched, and falls back to one effect where LD and z contradict one another. loci_status says so.
With LD of the GWAS sample itself, use --ld-of in_sample: the fit is then that of susieR's susie_rss. A search follows
it that weighs several modes of the posterior: pip and credible sets are the search's, pip_susie is SuSiE's (--posterior
susie does without). Variants whose alleles look switched are still excluded (unless --allele-switches keep). Where
susie_rss does not converge, the fit continues with an estimate of how far LD and z are apart (drift), and no search."""

EXAMPLE = """example:
  fineprior finemap --z locus.tsv --ld locus.npy --n 140306 --panel-size 503 --out results/locus"""

CALIBRATE = """Simulate studies on the LD and the scores of one of your studies.
They test what its prior finds and whether its PIPs hold. In one scenario after the other the scores say much, little,
nothing or the opposite of which variants are causal. Each simulated study goes through the pipeline's own steps:
signals, enrichment estimated without each chromosome in turn, strength, and fine-mapping under each prior. It does so
with the LD that it was simulated on, as with the LD of the GWAS itself, and with that of a panel drawn anew, of the
size of yours and with its F_ST: what the two differ by is due to the panel.

The study's loci, LD and scores must be there (snakemake makes them). Settings are those of `calibrate` in config.yaml
unless given here. The workflow does the same on a cluster: snakemake results/STUDY/calibrate/summary.tsv

Output, in DIR (default: results/STUDY/calibrate)
  summary.tsv        coverage, power, set size, hits and false discoveries of each prior in each scenario, and why
  pip.tsv            claimed PIP against the share of variants that are causal, with intervals
  calibration.svg    both as a figure"""

FLAGS = {
    "max_effects": ["--max-effects", "--L"],
    "min_purity": ["--min-purity", "--min-abs-corr"],
    "max_iterations": ["--max-iterations", "--max-iter"],
    "tolerance": ["--tolerance", "--tol"],
    "ld": ["--ld-of"],
}
"""Options of `finemap` that have susieR's name too, or (as --ld is the file) another one."""


def parser() -> argparse.ArgumentParser:
    """The arguments of `fineprior`, but for those of the stages."""
    top = argparse.ArgumentParser(
        prog="fineprior", usage="fineprior command [options]", description="Sequence-model priors for fine-mapping.",
        epilog=_stages_in_words(), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="command", prog="fineprior")

    def command(name: str, meaning: str, description: str, **further: Any) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=meaning, description=description, allow_abbrev=False,
                                   formatter_class=argparse.RawDescriptionHelpFormatter, **further)  # fmt: skip

    usage = "fineprior finemap --z FILE --out PREFIX [--ld FILE] [--n N] [--prior FILE] [options]"
    finemap = command("finemap", "fine-map one locus from files", DESCRIPTION, epilog=EXAMPLE, usage=usage)
    files = finemap.add_argument_group("files")
    files.add_argument("--z", required=True, metavar="FILE", help="Table of z-scores.")
    files.add_argument("--ld", metavar="FILE", dest="ld_file", help="LD matrix. Without it one effect is fitted.")
    files.add_argument("--ld-variants", metavar="FILE", help="Names of the variants of --ld, one on each line; needed "
                       "where --ld has more variants than --z, or another order.")  # fmt: skip
    files.add_argument("--n", type=_number(float, Rule("", above=1)), metavar="N",
                       help="Sample size. It is needed where the table has no column n.")  # fmt: skip
    files.add_argument("--prior", metavar="FILE", help="Table of prior probabilities. Default: all the same.")
    files.add_argument("--fst", type=_number(float, Rule("", at_least=0, at_most=1)), metavar="F",
                       help="F_ST between the panel of --ld and the GWAS. Default: that of the LD file, or by the "
                       "columns eaf and panel_af of --z.")  # fmt: skip
    files.add_argument("--out", required=True, metavar="PREFIX", help="Prefix of the names of the output files.")
    files.add_argument("--locus", default="locus", help="Name of the locus in the tables. Default: %(default)s.")
    files.add_argument("--seed", type=_number(int, Rule("", at_least=0)), default=1, metavar="N",
                       help="Seed of the search (--posterior search). Default: %(default)s.")  # fmt: skip
    settings = finemap.add_argument_group("settings (defaults are susieR's where it has them)")
    for each in dataclasses.fields(FinemapSettings):
        _add_setting(settings, FinemapSettings, each.name, FLAGS.get(each.name, [_flag(each.name)]))

    calibrate = command("calibrate", "test a study's prior in simulated studies", CALIBRATE)
    calibrate.add_argument("--study", required=True, help="Name of the study in studies.tsv.")
    calibrate.add_argument("--config", default="config/config.yaml", metavar="FILE", help="Default: %(default)s.")
    calibrate.add_argument("--results", default="results", metavar="DIR",
                           help="Folder with the study's results. Default: %(default)s.")  # fmt: skip
    calibrate.add_argument("--out", metavar="DIR", help="Folder to write to. Default: results/STUDY/calibrate.")
    calibrate.add_argument("--jobs", type=_number(int, Rule("", at_least=1)), default=1, metavar="N",
                           help="Number of processes. Default: %(default)s.")  # fmt: skip
    for each in dataclasses.fields(CalibrateSettings):
        _add_setting(calibrate, CalibrateSettings, each.name, [_flag(each.name)], of_config=True)

    usage = "fineprior explain [options] [target ...] [-- arguments of snakemake]"
    add_explain_arguments(command("explain", "say what would rerun, and why", EXPLAIN, usage=usage))
    add_verify_arguments(command("verify", "compare each byte of results and inputs with what it was", VERIFY))
    return top


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add_setting(group: Any, cls: type, name: str, flags: list[str], of_config: bool = False) -> None:
    """Add the option of a setting; `of_config`: without the option it is as in config.yaml."""
    rule, default = rule_of(cls, name), getattr(cls(), name)
    kind: dict[str, Any] = {"type": str, "metavar": "TEXT"}
    if isinstance(default, bool):
        kind = {"action": argparse.BooleanOptionalAction}
    elif isinstance(default, list):
        kind = {"nargs": "+", "metavar": "NAME"} | ({"choices": tuple(rule.choices)} if rule.choices else {})
    elif rule.choices:
        kind = {"choices": tuple(rule.choices)}
    elif isinstance(default, int | float):
        kind = {"type": _number(type(default), rule), "metavar": "N" if isinstance(default, int) else "X"}
    said = ("on" if default else "off") if isinstance(default, bool) else f"{default} {rule.unit}".strip()
    meaning = rule.description.replace("%", "%%") + ("" if of_config else f" Default: {said}.")
    group.add_argument(*flags, dest=name, default=None if of_config else default, help=meaning, **kind)


def _number(kind: type, rule: Rule) -> Callable[[str], Any]:
    """What turns text into a number that the rule admits."""

    def number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not rule.admits(value):
            words = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"'{text}' must be {words} ({rule.range_in_words})")
        return value

    return number


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
        cut = argv.index("--") if command == "explain" and "--" in argv else len(argv)
        arguments = parser().parse_args(argv[:cut])
        lines, code = {
            "finemap": _finemap,
            "calibrate": _calibrate,
            "explain": lambda given: (explain(given, argv[cut + 1 :]), 0),
            "verify": verify,
        }[arguments.command](arguments)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return code
    except (InputError, OSError) as error:
        sys.stderr.write(f"fineprior {command}: error: {error}\n")
    except MemoryError:
        sys.stderr.write(f"fineprior {command}: error: the LD matrix does not fit into memory\n")
    return 2


def _finemap(arguments: argparse.Namespace) -> tuple[list[str], int]:
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
        fst=arguments.fst,
        seed=arguments.seed,
    )
    sets = len(fit.fit.final_sets) if fit.fit is not None else 0
    because = f" ({fit.reason})" if fit.reason else ""
    lines = [f"{arguments.locus}: {fit.status}{because}; {sets} credible set{'' if sets == 1 else 's'}"]
    lines += [f"  {remark}" for remark in fit.remarks]
    return [*lines, f"written: {arguments.out}.variants.tsv.gz and beside it"], int(fit.fit is None)


def _calibrate(arguments: argparse.Namespace) -> tuple[list[str], int]:
    from fineprior.report.calibration import sentences
    from fineprior.steps.calibrate_study import calibrate_study, read_project, study_of

    project = read_project(arguments.config)
    names = [field.name for field in dataclasses.fields(CalibrateSettings)]
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    settings = dataclasses.replace(project.settings.calibrate, **given)
    out = arguments.out or f"{arguments.results}/{arguments.study}/calibrate"
    study = study_of(project, arguments.study, arguments.results)
    summary_table = calibrate_study(study, out, settings, jobs=arguments.jobs)
    return [*sentences(summary_table), f"written: {out}/summary.tsv and beside it"], 0


def _stages_in_words() -> str:
    lines = ["stages of the workflow, each on files, with settings from --config and --set:"]
    for stage, steps in (BEFORE | STAGES).items():
        named = [(name, step) for name, step in COMMANDS.items() if step in steps]
        lines += ["", f"  {stage}", *(f"    {name:<23} {summary(step)}" for name, step in named)]
    return "\n".join(lines)


def _run_stage(command: str, argv: list[str]) -> int:
    """Call the function behind a stage with arguments that its signature and its documentation describe."""
    name = COMMANDS[command]
    function = getattr(importlib.import_module(f"fineprior.steps.{module_of(name)}"), name)
    kinds, parameters = typing.get_type_hints(function), inspect.signature(function).parameters
    description, meanings = _documented(function)
    top = argparse.ArgumentParser(prog=f"fineprior {command}", description=description, allow_abbrev=False,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    blocks = {each: cls for each in parameters if (cls := _settings_class(kinds[each]))}
    plain = [each for each in parameters if each not in blocks]
    for each in plain:
        default, kind = parameters[each].default, kinds[each]
        required = default is inspect.Parameter.empty and type(None) not in typing.get_args(kind)
        default = None if default is inspect.Parameter.empty else default
        top.add_argument(_flag(each), dest=each, required=required, default=default, help=meanings.get(each),
                         **_taken(kind))  # fmt: skip
    if blocks:
        top.add_argument("--config", metavar="FILE",
                         help="config.yaml with the settings. Default: the defaults in config/README.md.")  # fmt: skip
        top.add_argument("--set", metavar="BLOCK.KEY=VALUE", action="append", default=[],
                         help="A setting, in place of that in the config. It may be repeated.")  # fmt: skip
    given = vars(top.parse_args(argv))
    values = {each: _mapped(given[each], kinds[each], _flag(each)) for each in plain}
    if blocks:
        settings = _settings(given["config"], given["set"])
        values |= {each: _block_of(settings, cls) for each, cls in blocks.items()}
    function(**values)
    return 0


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What the documentation of a function (in numpydoc's form) says of it, and of each parameter."""
    description, *sections = re.split(r"\n\n(\w+)\n-+\n", inspect.getdoc(function) or "")
    meanings: dict[str, str] = {}
    for title, section in zip(sections[::2], sections[1::2], strict=True):
        for entry in re.split(r"\n(?=\S)", section) if title == "Parameters" else ():
            names, _, meaning = entry.partition("\n")
            first, *others = names.split(" : ")[0].split(", ")
            meanings[first] = " ".join(meaning.replace("%", "%%").split())
            meanings |= dict.fromkeys(others, f"See {_flag(first)}.")
    return description, meanings


def _settings_class(kind: Any) -> type | None:
    """The settings dataclass of a parameter, or None when it is no settings."""
    return next((each for each in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(each)), None)  # type: ignore[return-value]


def _one_of(kind: Any) -> Any:
    """Of a path or a format's name or a mapping, a command line gives the text."""
    several = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return next(each for each in several if each is not type(None))


def _taken(kind: Any) -> dict[str, Any]:
    """What argparse needs to know of a parameter of this type."""
    kind = _one_of(kind)
    if typing.get_origin(kind) in (list, collections.abc.Sequence):
        return {"nargs": "+", "metavar": "FILE"}
    if typing.get_origin(kind) is collections.abc.Mapping:
        return {"nargs": "+", "metavar": "NAME=VALUE", "type": _pair(typing.get_args(kind)[1])}
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": kind if kind in (int, float) else str, "metavar": {int: "N", float: "X"}.get(kind, "TEXT")}


def _pair(kind: Any) -> Callable[[str], tuple[str, Any]]:
    """What turns NAME=VALUE into a pair; argparse puts its name into the message for other text."""

    def pair(text: str) -> tuple[str, Any]:
        name, value = text.split("=", 1)
        return name, float(value) if kind is float else value

    pair.__name__ = "NAME=NUMBER" if kind is float else "NAME=VALUE"
    return pair


def _mapped(given: Any, kind: Any, flag: str) -> Any:
    """The pairs of a mapping as a dict; where it is one of lists, the same name may be repeated."""
    kind = _one_of(kind)
    if not isinstance(given, list) or typing.get_origin(kind) is not collections.abc.Mapping:
        return given
    several = typing.get_origin(typing.get_args(kind)[1]) is collections.abc.Sequence
    found: dict[str, Any] = {}
    for name, value in given:
        if name in found and not several:
            raise InputError(f"{flag}: '{name}' is given twice")
        found[name] = [*found.get(name, []), value] if several else value
    return found


def _settings(config: str | None, changes: Iterable[str]) -> Settings:
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
