"""The commands of docs/coming-from.md: fineprior's and susieR's are run, the workflow's are planned."""

import re
import shlex
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from fineprior import cli
from fineprior.files.tables import FINEMAP_VARIANTS
from fineprior.project.schemas import schema_of
from fineprior.project.settings import FinemapSettings, Settings
from workflow_runs import ROOT, copy_repository, snakemake

PAGE = (ROOT / "docs/coming-from.md").read_text()
COMMANDS = [line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
            for line in block.splitlines()]  # fmt: skip
P = 30


@pytest.fixture
def locus(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    signs = rng.choice([-1, 1], P)
    r = 0.8 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P))) * np.outer(signs, signs)
    z = r[5] * 9 + r[20] * 7 + np.linalg.cholesky(r) @ rng.normal(size=P) * 0.5
    ids = [f"1:{100 * (j + 1)}:A:C" for j in range(P)]
    pd.DataFrame({"variant_id": ids, "z": z, "n": 20_000}).to_csv(tmp_path / "locus.tsv", sep="\t", index=False)
    prior = rng.dirichlet(np.full(P, 2.0))
    pd.DataFrame({"variant_id": ids, "prior": prior}).to_csv(tmp_path / "prior.tsv", sep="\t", index=False)
    np.savetxt(tmp_path / "ld.txt", r)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_susier_and_the_command_beside_it_give_the_same_pips(locus):
    command = next(line for line in COMMANDS if line.startswith("fineprior finemap"))
    assert cli.main(shlex.split(command)[1:]) == 0
    ours = FINEMAP_VARIANTS.read(locus / "ours.variants.tsv.gz")
    assert ours["credible_set"].notna().any()
    if shutil.which("Rscript") is None:
        pytest.skip("no Rscript")
    theirs = re.search(r"^```r\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL).group(1)
    code = "if (!requireNamespace('susieR', quietly = TRUE)) quit(status = 77)\n" + theirs
    done = subprocess.run(["Rscript", "--vanilla", "-e", code + "cat('pip', fit$pip)"], capture_output=True, text=True,
                          check=False)  # fmt: skip
    if done.returncode == 77:
        pytest.skip("no susieR")
    assert done.returncode == 0, done.stderr
    pips = [float(word) for word in done.stdout.partition("pip ")[2].split()]
    np.testing.assert_allclose(ours["pip_susie"], pips, atol=1e-5)


@pytest.mark.workflow
def test_commands_of_the_workflow_are_planned(tmp_path):
    folder = copy_repository(tmp_path)
    targets = {word for line in COMMANDS if line.startswith("snakemake") for word in shlex.split(line)[3:]}
    assert len(targets) == 3
    done = snakemake(folder, "-n", "all", *sorted(targets))
    assert done.returncode == 0, done.stdout


def test_every_command_is_of_a_kind_that_is_tested():
    assert {line.split()[0] for line in COMMANDS} == {"fineprior", "snakemake"}
    assert all(line.startswith("snakemake --cores 2") for line in COMMANDS if line.startswith("snakemake"))


def test_names_of_settings_and_options_exist(capsys):
    rows = re.findall(r"^\| `[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.split("## From PolyFun")[0], flags=re.MULTILINE)
    settings = {name for _, cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert settings
    assert settings <= set(FinemapSettings.__dataclass_fields__)
    with pytest.raises(SystemExit):
        cli.main(["finemap", "--help"])
    shown = capsys.readouterr().out
    for option in {name for cell, _ in rows for name in re.findall(r"`(--[\w-]+)`", cell)}:
        assert option in shown
    schema = schema_of(Settings)["properties"]
    for block, key in re.findall(r"`(\w+)\.(\w+): ", PAGE):
        assert key in schema[block]["properties"]
