"""Data of the pretraining: downloads are checked, tables renamed, motifs picked by id, cut and written."""

import sqlite3
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backbone import sources
from backbone.sources import motif_from_counts, write_motifs
from fineprior.files.errors import InputError
from fineprior.files.whole import sha256
from fineprior.sequence.motifs import read_motifs


def write_wheel(path: Path, member: str, content: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member), content)


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Stand-ins for pip and for the two wheels, with their digests recorded."""
    raw = pd.DataFrame(
        {
            "chr": ["chr1", "chr7"],
            "TAG": ["hESCT0_X", "K562_Y"],
            "data_label": ["test", "training"],
            "sequence": ["acgt", "TTTT"],
        }
    )
    contents = {"JASPAR_WHEEL": "database", "DHS_WHEEL": raw.to_csv(sep="\t", index=False)}
    paths = {}
    for constant, content in contents.items():
        requirement, _, member = getattr(sources, constant)
        path = paths[requirement] = tmp_path / f"{requirement.replace('==', '-')}-py3-none-any.whl"
        write_wheel(path, member, content)
        monkeypatch.setattr(sources, constant, (requirement, sha256(path), member))

    def run(command, **_):
        folder, requirement = command[-2:]
        (Path(folder) / paths[requirement].name).write_bytes(paths[requirement].read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return paths


def test_fetch_keeps_what_is_needed(wheels, tmp_path):
    sources.fetch_pretraining_data(str(tmp_path / "j.sqlite"), str(tmp_path / "dhs.tsv.gz"))
    assert (tmp_path / "j.sqlite").read_text() == "database"
    table = pd.read_csv(tmp_path / "dhs.tsv.gz", sep="\t")
    assert table.values.tolist() == [["chr1", "hESC", "test", "ACGT"], ["chr7", "K562", "train", "TTTT"]]


def test_another_wheel_is_refused(wheels, tmp_path):
    path = wheels["dnadiffusion==0.0.0.dev0"]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"dnadiffusion==0\.0\.0\.dev0: sha256 is .*, not the recorded"):
        sources.fetch_pretraining_data(str(tmp_path / "j.sqlite"), str(tmp_path / "dhs.tsv.gz"))
    assert not (tmp_path / "dhs.tsv.gz").exists()


def test_a_failed_download_is_said(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: a\nERROR: no matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(InputError, match=r"pyjaspar==4\.0\.0: the download failed .*no matching distribution"):
        sources.fetch_pretraining_data(str(tmp_path / "j.sqlite"), str(tmp_path / "dhs.tsv.gz"))


@pytest.fixture
def jaspar(tmp_path):
    path = tmp_path / "jaspar.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE MATRIX (ID, COLLECTION, BASE_ID, VERSION, NAME)")
        database.execute("CREATE TABLE MATRIX_DATA (ID, row, col, val)")
        database.execute("INSERT INTO MATRIX VALUES (7, 'CORE', 'MA0001', '2', 'ONE')")
        cells = [(7, base, column, 100 if base == "ACG"[column - 1] else 0) for base in "TGCA" for column in (3, 1, 2)]
        database.executemany("INSERT INTO MATRIX_DATA VALUES (?, ?, ?, ?)", cells)
    return path


def test_motifs_are_picked_by_id(jaspar, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOTIF_IDS", ("MA0001.2",))
    sources.select_motifs(str(jaspar), str(tmp_path / "motifs.meme"))
    (motif,) = read_motifs(tmp_path / "motifs.meme")
    assert (motif.motif_id, motif.name, motif.consensus.tolist()) == ("MA0001.2", "ONE", [0, 1, 2])


def test_unknown_motif(jaspar, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOTIF_IDS", ("MA0001.9",))
    with pytest.raises(InputError, match=r"no motif MA0001\.9"):
        sources.select_motifs(str(jaspar), str(tmp_path / "motifs.meme"))


def test_ids_are_the_shipped_ones():
    shipped = read_motifs(Path(__file__).parents[2] / "resources" / "backbone" / "motifs.meme")
    assert tuple(motif.motif_id for motif in shipped) == sources.MOTIF_IDS


def test_meme_round_trip(motifs, tmp_path):
    write_motifs(tmp_path / "a.meme", motifs, "credit\nlicence")
    again = read_motifs(tmp_path / "a.meme")
    assert [(m.motif_id, m.name) for m in again] == [(m.motif_id, m.name) for m in motifs]
    for ours, theirs in zip(motifs, again, strict=True):
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
    assert "# credit\n# licence\n" in (tmp_path / "a.meme").read_text()


def test_motif_from_counts_cuts_the_flanks_and_leaves_nothing_impossible():
    counts = np.array([[25, 25, 25, 25], [100, 0, 0, 0], [30, 25, 25, 20], [0, 0, 0, 50], [26, 24, 25, 25.0]])
    motif = motif_from_counts("M1", "one", counts)
    assert motif.width == 3
    np.testing.assert_allclose(motif.probabilities[0], [0.985, 0.005, 0.005, 0.005])
    np.testing.assert_allclose(motif.probabilities.sum(1), 1)
    with pytest.raises(InputError, match="M1: no column"):
        motif_from_counts("M1", "one", np.full((4, 4), 10.0))
