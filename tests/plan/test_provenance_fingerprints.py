"""A user's file that is another one is noticed, whatever its time; one that was only touched is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bad_inputs.world import build
from fineprior.files.errors import InputError
from fineprior.files.tables import USED_FILES
from fineprior.files.whole import sha256
from fineprior.plan import provenance as fingerprints
from fineprior.plan.dry_run import plan
from fineprior.plan.explain import explanation
from fineprior.plan.provenance import (
    Fingerprints,
    UsedFile,
    file_digest,
    older_replacements,
    used_file,
    used_files,
)

ROOT = Path(__file__).parents[2]


def test_digests_are_those_of_the_files_and_are_kept(tmp_path, monkeypatch):
    path, cache = tmp_path / "a.txt", tmp_path / "kept/inputs.json"
    path.write_text("one")
    first = Fingerprints(cache)
    assert first[str(path)] == file_digest(path)[0]
    assert first[str(tmp_path / "not there")] == ""
    first.save()
    monkeypatch.setattr(fingerprints, "file_digest", None)  # not called again
    assert Fingerprints(cache)[str(path)] == first[str(path)]


def test_a_touched_file_has_its_digest_and_an_older_one_another(tmp_path):
    path, cache = tmp_path / "a.txt", tmp_path / "inputs.json"
    path.write_text("one")
    before = Fingerprints(cache)
    known = before.of([str(path)])
    before.save()
    os.utime(path, (1, 1))
    assert Fingerprints(cache).of([str(path)]) == known
    path.write_text("two")
    os.utime(path, (2, 2))
    assert Fingerprints(cache).of([str(path)]) != known


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a.txt": [3, 1]}'])
def test_what_is_kept_may_be_rubbish(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("one")
    Path("inputs.json").write_text(text)
    assert Fingerprints(Path("inputs.json"))["a.txt"] == file_digest("a.txt")[0]


def test_an_older_file_in_the_place_of_another_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(name)
    rows = [f"genome\t{name}\t5\twhole\t{file_digest(name)[0]}" for name in ("a.txt", "b.txt")]
    Path("files.tsv").write_text("\n".join(["role\tfile\tbytes\tread\tsha256", *rows]) + "\n")
    cache = Path("inputs.json")
    assert older_replacements(Fingerprints(cache), "files.tsv") == []
    Path("b.txt").write_text("other")
    later = os.stat("files.tsv").st_mtime_ns + 10**9
    os.utime("b.txt", ns=(later, later))
    assert older_replacements(Fingerprints(cache), "files.tsv") == []  # Snakemake's own affair
    os.utime("b.txt", (1, 1))
    (sentence,) = older_replacements(Fingerprints(cache), "files.tsv")
    assert sentence.startswith("b.txt: was replaced by an older file")
    assert older_replacements(Fingerprints(cache), "not there.tsv") == []
    Path("files.tsv").write_text("file\nb.txt\n")
    assert older_replacements(Fingerprints(cache), "files.tsv") == []


def test_rows_of_used_files_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "WHOLE_UP_TO", 3)
    monkeypatch.setattr(fingerprints, "_PIECE", 2)
    path = tmp_path / "a.txt"
    path.write_text("four")
    rows = [used_file(role, str(path)) for role in ("weights", "genome")]
    assert [(row.role, row.bytes, row.read, row.whole) for row in rows] == [
        ("weights", 4, "whole", True),
        ("genome", 4, "sampled", False),
    ]
    assert rows[0].sha256 == sha256(path) != rows[1].sha256
    table = tmp_path / "files.tsv"
    table.write_text("\n".join("\t".join(map(str, row)) for row in (UsedFile._fields, *rows)) + "\n")
    assert used_files(table) == rows
    assert list(UsedFile._fields) == USED_FILES.names
    (bad := tmp_path / "bad.tsv").write_text("file\na.txt\n")
    with pytest.raises(InputError, match="not a table of inputs"):
        used_files(bad)


@pytest.mark.workflow
def test_a_rule_runs_again_for_an_older_file_and_not_for_a_touched_one(tmp_path):
    world = build(tmp_path)
    shutil.rmtree(world / "out", ignore_errors=True)
    snakemake = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]

    def run(*arguments):
        command = [*snakemake, *arguments, "results/trait/sumstats.parquet"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run()
    os.utime(world / "gwas.tsv", (1, 1))
    assert "Nothing to be done" in run("-n")
    lines = world.text("gwas.tsv").splitlines(keepends=True)
    world.write("gwas.tsv", "".join(lines[:-5]))
    os.utime(world / "gwas.tsv", (2, 2))
    assert "Params have changed" in run("-n")
    said = "\n".join(explanation(plan(["results/trait/sumstats.parquet"], snakemake[3:5], tmp_path), tmp_path))
    assert "harmonise_sumstats, 1 job: an older file is in the place of: gwas.tsv" in said
    run()
    assert "Nothing to be done" in run("-n")


def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path):
    path, other, cache = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "inputs.json"
    path.write_text("one")
    before = Fingerprints(cache)
    known = before[str(path)]
    before.save()
    other.write_text("two")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert Fingerprints(cache)[str(path)] == file_digest(path)[0] != known
