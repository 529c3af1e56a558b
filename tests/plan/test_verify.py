"""`fineprior verify` names each file that is not what it was, and no other."""

import argparse

import numpy as np
import pytest

from fineprior import cli
from fineprior.files import integrity
from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.plan.provenance import file_digest
from fineprior.plan.verify import verify


@pytest.fixture
def project(tmp_path):
    """A project with text, an array, a folder, a part of the store, and an input."""
    results = tmp_path / "results"
    for name in ("study/loci.tsv", "study/report.html"):
        with atomic_path(results / name) as temporary:
            temporary.write_text(name)
    for name in ("study/ld/0.npz", "study/ld/1.npz", "store/abc/part-0.npz"):
        with atomic_path(results / name, shared="store" in name) as temporary:
            np.savez(temporary, x=np.arange(9) + len(name), name=name)
    with atomic_path(results / "study/export/coloc") as folder:
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    (folder := tmp_path / "data").mkdir()
    (folder / "gwas.tsv").write_text("gwas")
    with atomic_path(results / "provenance/files.tsv") as temporary:
        row = f"studies\tdata/gwas.tsv\t4\twhole\t{file_digest(folder / 'gwas.tsv')[0]}"
        temporary.write_text(f"role\tfile\tbytes\tread\tsha256\n{row}\n")
    return tmp_path


def said(project):
    lines, code = verify(argparse.Namespace(directory=str(project), results="results"))
    return [line.replace(f"{project}/", "") for line in lines], code


def test_a_whole_project(project):
    assert said(project) == (
        ["8 of 8 files are as they were written or read; 0 differ, 0 missing, 0 not known"],
        0,
    )


def turned(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    ["results/study/loci.tsv", "results/study/report.html", "results/study/ld/0.npz", "results/store/abc/part-0.npz",
     "results/provenance/files.tsv", "data/gwas.tsv"],
)  # fmt: skip
def test_one_turned_bit(project, name):
    turned(project / name)
    lines, code = said(project)
    assert code == 1
    assert any(line.startswith(f"differs: {name} (") for line in lines)
    assert lines[-1].endswith("0 missing, 0 not known")


def test_files_that_are_swapped_are_whole_and_differ(project):
    one, two = (project / f"results/study/ld/{number}.npz" for number in (0, 1))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    lines, code = said(project)
    assert code == 1
    assert [line.split(" (")[0] for line in lines[:2]] == [f"differs: results/study/ld/{n}.npz" for n in (0, 1)]


def test_a_file_in_an_exported_folder(project):
    (project / "results/study/export/coloc/a.txt").write_text("b")
    lines, code = said(project)
    assert code == 1
    assert lines[0].startswith("differs: results/study/export/coloc (")


@pytest.mark.parametrize("name", ["results/study/loci.tsv", "data/gwas.tsv"])
def test_missing_ones_are_named(project, name):
    (project / name).unlink()
    lines, code = said(project)
    assert code == 1
    assert lines[0].startswith(f"missing: {name} (")


def test_unknown_ones_are_named_and_no_fault(project):
    (project / "results/study/notes.txt").write_text("mine")
    lines, code = said(project)
    assert code == 0
    assert lines[0].startswith("not known: results/study/notes.txt (")


@pytest.mark.parametrize("text", ["file\tread\n", "role\tfile\tbytes\tread\tsha256\nx\ty\tmany\twhole\tz\n"])
def test_a_list_of_inputs_that_is_none(project, text):
    with atomic_path(project / "results/provenance/files.tsv") as temporary:
        temporary.write_text(text + "a\n" * text.startswith("file"))
    lines, code = said(project)
    assert code == 1
    assert lines[0].startswith("differs: results/provenance/files.tsv (not a table of inputs: ")


def test_a_file_that_cannot_be_read(project, monkeypatch):
    def broken(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(integrity, "digests", broken)
    lines, code = said(project)
    assert code == 1
    assert "differs: results/study/loci.tsv (cannot be read: Input/output error)" in lines
    assert "differs: results/store/abc/part-0.npz (cannot be read: Input/output error)" in lines


def test_the_command(project, tmp_path_factory, capsys):
    assert cli.main(["verify", "-d", str(project)]) == 0
    assert "8 of 8 files" in capsys.readouterr().out
    turned(project / "results/study/loci.tsv")
    assert cli.main(["verify", "-d", str(project)]) == 1
    assert cli.main(["verify", "-d", str(tmp_path_factory.mktemp("empty"))]) == 2
    assert "results: no such folder" in capsys.readouterr().err
    with pytest.raises(InputError):
        said(project / "data")
