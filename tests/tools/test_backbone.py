"""The command that makes the shipped backbone, as its model card gives it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARD = (ROOT / "resources/backbone/MODEL_CARD.md").read_text()
COMMAND = re.search(r"Made by: `(snakemake [^`]*)`", CARD).group(1)


def test_the_readme_gives_the_card_s_command():
    assert f"\n{COMMAND}\n" in (ROOT / "tools/backbone/README.md").read_text()


@pytest.mark.workflow
def test_the_card_s_command_plans_the_files_beside_the_card(tmp_path):
    words = shlex.split(COMMAND.replace("tools/", f"{ROOT}/tools/"))
    done = subprocess.run([sys.executable, "-m", *words, "--dry-run", "--directory", tmp_path], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    for rule in ("fetch_pretraining_data", "select_motifs", "make_backbone"):
        assert re.search(rf"^rule {rule}:", done.stdout, flags=re.MULTILINE), rule
    files = {Path(name).name for name in re.findall(r"results/pretrain/backbone/[\w.]+", done.stdout)}
    assert files == {path.name for path in (ROOT / "resources/backbone").iterdir()}


@pytest.mark.workflow
def test_a_rule_of_it_runs(tmp_path):
    """Motifs are selected from a database that is there; nothing is fetched."""
    import sqlite3

    from backbone.sources import MOTIF_IDS
    from fineprior.sequence.motifs import read_motifs

    database = tmp_path / "results/pretrain/jaspar.sqlite"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE MATRIX (ID, COLLECTION, BASE_ID, VERSION, NAME)")
        connection.execute("CREATE TABLE MATRIX_DATA (ID, row, col, val)")
        for number, motif in enumerate(MOTIF_IDS):
            base, version = motif.split(".")
            connection.execute("INSERT INTO MATRIX VALUES (?, 'CORE', ?, ?, ?)", (number, base, version, motif))
            cells = [(number, base, column, 100 if base == "ACG"[column - 1] else 0)
                     for base in "ACGT" for column in (1, 2, 3)]  # fmt: skip
            connection.executemany("INSERT INTO MATRIX_DATA VALUES (?, ?, ?, ?)", cells)
    target = "results/pretrain/backbone/motifs.meme"
    done = subprocess.run([sys.executable, "-m", "snakemake", "-s", ROOT / "tools/backbone/Snakefile", "--cores", "1",
                           "--allowed-rules", "select_motifs", "--", target], cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert tuple(motif.motif_id for motif in read_motifs(tmp_path / target)) == MOTIF_IDS
