"""The commands of the how-to pages: the workflow's are planned, fineprior's are parsed, others are of a known kind."""

import re
import shlex
import shutil

import pytest

from fineprior import cli
from fineprior.plan.stages import COMMANDS
from workflow_runs import ROOT, snakemake

PAGES = {name: (ROOT / f"docs/{name}.md").read_text() for name in ("running", "own-study", "cluster")}
BLOCKS = [block for page in PAGES.values()
          for block in re.findall(r"^```(?:bash)?\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)]  # fmt: skip
LINES = [line for block in BLOCKS for line in block.splitlines()]
OTHERS = ("pip", "module", "python3", "apptainer", "sbatch")


def words(program):
    """Arguments of each command of a program, quoted ones too; how many cores is all the same."""
    commands = [shlex.split(line, comments=True) for line in LINES if line.startswith((program, *OTHERS))]
    inner = [shlex.split(word) for command in commands for word in command if f"{program} " in word]
    found = [command[command.index(program) + 1 :] for command in commands + inner if program in command]
    texts = [re.sub(r"--cores \d+", "--cores 2", shlex.join(arguments)).removesuffix(" -n") for arguments in found]
    return [shlex.split(text) for text in dict.fromkeys(texts)]


@pytest.mark.workflow
@pytest.mark.parametrize("arguments", words("snakemake"), ids=" ".join)
def test_a_command_of_the_workflow_is_planned(arguments, finished_smallest, tmp_path):
    if "slurm" in " ".join(arguments):
        pytest.importorskip("snakemake_executor_plugin_slurm")
    if "conda" in arguments and not shutil.which("conda"):
        arguments = [word for word in arguments if word not in {"--sdm", "conda"}]
    if "--unlock" in arguments:
        assert snakemake(finished_smallest, *arguments).returncode == 0
        return
    if "--directory" in arguments:
        shutil.copytree(ROOT / "config", tmp_path / "my_project/config")
        shutil.copytree(ROOT / "resources/backbone", tmp_path / "my_project/resources/backbone")
        arguments = arguments[arguments.index("--directory") :]
        done = snakemake(finished_smallest, "-n", *arguments, directory=tmp_path)
    else:
        done = snakemake(finished_smallest, "-n", *arguments)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", words("fineprior"), ids=" ".join)
def test_a_command_of_fineprior_is_parsed(arguments, tmp_path, monkeypatch, capsys):
    if arguments[0] in COMMANDS:  # a stage parses its own arguments, and then misses its first file
        monkeypatch.chdir(tmp_path)
        assert cli.main(arguments) == 2
        assert "genome.fa" in capsys.readouterr().err
    else:
        assert cli.parser().parse_args(arguments)


def test_there_is_no_command_of_another_kind():
    commands = {line.split()[0] for block in BLOCKS if "snakemake" in block or "fineprior" in block
                for line in block.splitlines() if line}  # fmt: skip
    assert commands <= {"snakemake", "fineprior", *OTHERS}
