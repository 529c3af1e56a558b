"""What makes fineprior easy to take into use elsewhere: the catalogue's files, a module, a container, a wheel."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from workflow_runs import MINIATURE, ROOT, copy_repository, edit_config

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(lines):
    return {re.match(r"[A-Za-z0-9_.-]+", line).group().lower(): line.replace(" ", "").lower() for line in lines}


def test_a_wheel_takes_the_files_of_the_page_along():
    """All files of the package that are no code are among its data, and nothing else is."""
    package = ROOT / "scripts/fineprior"
    found = {path for name, patterns in PYPROJECT["tool"]["setuptools"]["package-data"].items() for pattern in patterns
             for path in (package.parent / name.replace(".", "/")).glob(pattern)}  # fmt: skip
    assert found == {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert "page.html.j2" in {path.name for path in found}


def test_container_has_the_packages_of_its_environment():
    recipe = (ROOT / "envs/model.def").read_text()
    entries = yaml.safe_load((ROOT / "envs/model.yaml").read_text())["dependencies"]
    lines = [line for entry in entries for line in (entry["pip"] if isinstance(entry, dict) else [entry])]
    wanted = requirements(line for line in lines if line != "pip" and not line.startswith("python "))
    held = requirements(re.findall(r'"([^"]+)"', recipe.split("%post")[1].split("%environment")[0]))
    assert wanted.items() <= held.items()
    extras = PYPROJECT["project"]["optional-dependencies"]["tensorboard"]
    known = requirements(PYPROJECT["project"]["dependencies"] + extras)
    assert {name: known[name] for name in held} == held
    python = next(line for line in lines if line.startswith("python "))
    minor = int(re.search(r"From: python:3\.(\d+)", recipe).group(1))
    low, high = map(int, re.findall(r"3\.(\d+)", python))
    assert low <= minor < high
    assert [part for part in ("%help", "%files", "%post", "%test") if part not in recipe] == []
    for source in re.findall(r"^    (\S+) /opt/fineprior", recipe, flags=re.MULTILINE):
        assert (ROOT / source).exists()


def test_catalogue_s_requirements():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True
    assert usage["software-stack-deployment"]["conda"] is True
    assert all(
        (ROOT / path).is_file() for path in ("workflow/Snakefile", "config/README.md", "config/config.yaml", "LICENSE")
    )
    assert "snakemake" in (ROOT / "README.md").read_text().lower()


PARENT = """
configfile: "fineprior/config/config.yaml"

module fineprior:
    snakefile: "fineprior/workflow/Snakefile"
    config: config

use rule * from fineprior as fineprior_*

rule top:
    default_target: True
    input: "results/embedded/functional/credible_sets.tsv"
    output: "sets.txt"
    shell: "wc -l {input} > {output}"
"""


@pytest.mark.workflow
def test_another_workflow_takes_it_as_a_module(tmp_path):
    copy_repository(tmp_path / "fineprior")
    edit_config(
        tmp_path / "fineprior", MINIATURE | {name: f"fineprior/config/{name}.tsv" for name in ("studies", "tracks")}
    )
    config = tmp_path / "fineprior/config/config.yaml"
    config.write_text(config.read_text().replace("weights: resources/", "weights: fineprior/resources/"))
    (tmp_path / "Snakefile").write_text(PARENT)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    done = subprocess.run([sys.executable, "-m", "snakemake", "-n"], cwd=tmp_path, env=clean, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    for rule in ("top", "fineprior_finemap", "fineprior_embed_variants", "fineprior_simulate_genome"):
        assert re.search(rf"^(local)?rule {rule}:", done.stdout, flags=re.MULTILINE), rule
    assert "fineprior/resources/backbone/motifs.meme" in done.stdout


@pytest.mark.workflow
def test_the_catalogue_s_snakefile_plans_the_same_jobs(tmp_path):
    copy_repository(tmp_path)
    plans = []
    for snakefile in ("Snakefile", "workflow/Snakefile"):
        done = subprocess.run([sys.executable, "-m", "snakemake", "-n", "-s", snakefile],
                              cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout
        plan = done.stdout.partition("Job stats:")[2].partition("total")[0]
        plans.append({line.strip() for line in plan.splitlines()} - {""})
    jobs = [{tuple(line.split()) for line in plan if line.split()[0].strip("-")} for plan in plans]
    assert ("finemap", "6") in jobs[0]
    assert jobs[0] - {("all", "1")} == jobs[1] - {("default", "1")}
