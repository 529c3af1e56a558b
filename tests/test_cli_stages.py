"""Each stage as a command: arguments from the step's signature, settings from a config."""

import dataclasses

import numpy as np
import pytest
import yaml

from fineprior import cli
from fineprior.files import tables
from fineprior.plan.stages import COMMANDS, module_of
from small_study import write_results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("stages"), "mine")


def batch(results, out, *further):
    outputs = {"output": "variants.tsv.gz", "credible-sets": "sets.tsv", "status": "status.tsv", "fits": "fits.npz"}
    files = [word for name, file in outputs.items() for word in (f"--{name}", str(out / file))]
    return cli.main(["finemap-batch", "--variants", str(results / "loci/0.tsv.gz"), "--ld", str(results / "ld/0.npz"),
                     "--prior", str(results / "prior/uniform/0.tsv.gz"), *files, *further])  # fmt: skip


@pytest.mark.slow
def test_a_stage_gives_what_the_workflow_gives(results, tmp_path):
    assert batch(results, tmp_path, "--set", "finemap.ld=in_sample") == 0
    made = (tmp_path / "variants.tsv.gz").read_bytes()
    assert made == (results / "finemap/uniform/0.variants.tsv.gz").read_bytes()


def test_settings_come_from_a_config_and_set_goes_before(results, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"finemap": {"ld": "in_sample", "max_effects": 1, "coverage": 0.5}}))
    assert batch(results, tmp_path, "--config", str(config), "--set", "finemap.max_effects=3") == 0
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(tmp_path / "sets.tsv"))
    assert len(sets) > 1
    assert set(sets["requested_coverage"]) == {0.5}


@pytest.mark.slow
def test_lists_flags_and_pairs(results, tmp_path):
    arguments = ["gather", "--loci", str(results / "loci.tsv")]
    batch_files = {"variants": "variants.tsv.gz", "credible-sets": "credible_sets.tsv", "status": "status.tsv",
                   "fits": "fits.npz"}  # fmt: skip
    for name, file in batch_files.items():
        arguments += [f"--{name}", str(results / f"finemap/uniform/0.{file}")]
        arguments += [f"--output-{name}", str(tmp_path / file)]
    assert cli.main(arguments) == 0
    pairs = [f"{prior}={results}/{prior}/" for prior in ("uniform", "functional", "shuffled")]
    arguments = ["compare-priors", "--output", str(tmp_path / "c.tsv")]
    arguments += ["--variants", *(f"{pair}variants.tsv.gz" for pair in pairs)]
    assert cli.main([*arguments, "--credible-sets", *(f"{pair}credible_sets.tsv" for pair in pairs)]) == 0
    assert (tmp_path / "c.tsv").read_bytes() == (results / "comparison.tsv").read_bytes()


def test_export_is_a_command(results, tmp_path):
    assert cli.main(["export", "--form", "bed", "--study", "mine", "--output", str(tmp_path / "bed"), "--variants",
                     str(results / "uniform/variants.tsv.gz"), "--credible-sets",
                     str(results / "uniform/credible_sets.tsv")]) == 0  # fmt: skip
    assert np.loadtxt(tmp_path / "bed/credible_sets.bed", usecols=4).max() > 500


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--set", "finemap.covrage=1"], "config: finemap: unknown key 'covrage'; allowed: max_effects"),
        (["--set", "finemap.coverage=2"], "config: finemap.coverage = 2 must be below 1"),
        (["--set", "finemap.coverage"], "--set: 'finemap.coverage', BLOCK.KEY=VALUE is needed"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--variants", "none.tsv.gz"], "none.tsv.gz: no such file"),
    ],
)
def test_mistakes_are_one_line(results, tmp_path, capsys, further, message):
    assert batch(results, tmp_path, *further) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.count("\n") == 0
    assert error.startswith("fineprior finemap-batch: error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compute-ld"], "the following arguments are required: --variants, --output"),
        (["compare-priors", "--output", "x", "--variants", "uniform"], "invalid NAME=VALUE value: 'uniform'"),
        (["harmonise-sumstats", "--sizes", "n=many"], "invalid NAME=NUMBER value: 'n=many'"),
        (["embed-variants", "--threads", "two"], "invalid int value: 'two'"),
        (["nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_wrong_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_help_lists_the_stages(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"    {command} " in shown for command in COMMANDS)
    assert "  from tracks to a head\n" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_stage_has_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: fineprior {command}")
    assert ("--config" in shown) == _has_settings(command)


def _has_settings(command):
    import importlib
    import typing

    name = COMMANDS[command]
    kinds = typing.get_type_hints(getattr(importlib.import_module(f"fineprior.steps.{module_of(name)}"), name)).values()
    return any(dataclasses.is_dataclass(each) for kind in kinds for each in (kind, *typing.get_args(kind)))


@pytest.mark.parametrize("command", COMMANDS)
def test_dataclasses_of_a_stage_are_settings(command):
    """The command line takes any other for settings, which no config has, and the stage would end in a traceback."""
    import importlib
    import typing

    from fineprior.project import settings

    name = COMMANDS[command]
    kinds = typing.get_type_hints(getattr(importlib.import_module(f"fineprior.steps.{module_of(name)}"), name)).values()
    found = {each for kind in kinds for each in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(each)}
    assert found <= {getattr(settings, one) for one in settings.__all__ if one.endswith("Settings")}


def test_names_are_given_once(results, tmp_path, capsys):
    arguments = ["compare-priors", "--output", str(tmp_path / "c.tsv"), "--variants", "uniform=a", "uniform=b"]
    assert cli.main([*arguments, "--credible-sets", "uniform=c"]) == 2
    assert capsys.readouterr().err == "fineprior compare-priors: error: --variants: 'uniform' is given twice\n"


def test_the_documentation_of_a_step_is_the_help_of_its_options(capsys):
    with pytest.raises(SystemExit):
        cli.main(["embed-variants", "--help"])
    shown = capsys.readouterr().out
    assert "Embeddings of both alleles of each variant" in shown
    assert "--batch-size N        Windows in one forward pass" in shown
    assert "Parameters" not in shown


def documented(*, first, second, third, fourth=1):
    """Do it.

    In more words.

    Parameters
    ----------
    first, second : str
        A file,
        50% of it.
    third
        A number.

    Raises
    ------
    InputError
        Never.
    """


def test_names_of_a_documentation_get_their_meanings():
    assert cli._documented(documented) == (
        "Do it.\n\nIn more words.",
        {"first": "A file, 50%% of it.", "second": "See --first.", "third": "A number."},
    )
