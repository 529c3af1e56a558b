import inspect
import os

import pytest

from fineprior.files.errors import InputError
from fineprior.plan.check import OrStop, check_formats, check_intervals, or_stop
from fineprior.project.project import Project
from fineprior.project.settings import GenomeSettings, LociSettings, Settings
from fineprior.project.sheets import Study


def project(name, columns=None):
    return Project(Settings(columns=columns or {}), {"a": Study("a", "h", format=name)}, [])


@pytest.mark.parametrize(("name", "columns"), [("", None), ("regenie", None), ("mine", {"mine": {"beta": "B"}})])
def test_known_formats(name, columns):
    check_formats(project(name, columns))


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        (
            "regeny",
            None,
            r"studies.tsv \(study 'a'\): format 'regeny' is not known; allowed: .*regenie.*under `columns`",
        ),
        ("", {"mine": {"effekt": "B"}}, r"config: columns.mine: unknown key 'effekt'; allowed: .*beta"),
        ("", {"plink2": {"beta": "B"}}, r"config: columns.plink2: a known format has this name"),
    ],
)
def test_formats_that_are_not(name, columns, message):
    with pytest.raises(InputError, match=message):
        check_formats(project(name, columns))


@pytest.mark.parametrize("where", ["loci", "blocks", "exclude_bed"])
def test_intervals_are_held_against_the_index_of_the_genome(tmp_path, where):
    (tmp_path / "g.fa").write_text(">chr1\nACGTACGT\n")
    (tmp_path / "g.fa.fai").write_text("chr1\t8\t6\t8\t9\n")
    settings = Settings(
        genome=GenomeSettings("g.fa"), loci=LociSettings(**({} if where == "loci" else {where: "a.bed"}))
    )
    study = Study("a", "h", loci="a.bed" if where == "loci" else "")
    (tmp_path / "a.bed").write_text("1\t0\t8\n")
    check_intervals(Project(settings, {"a": study}, []), tmp_path)
    for text, message in (
        ("1\t0\t9\n", r"a.bed, line 1: 0-9 must have start < end <= 8"),
        ("# nothing\n", "a.bed: no interval"),
        ("chr2\t0\t5\n", r"a.bed, line 1: .*g.fa has no contig 'chr2'; there are chr1"),
    ):
        (tmp_path / "a.bed").write_text(text)
        with pytest.raises(InputError, match=message):
            check_intervals(Project(settings, {"a": study}, []), tmp_path)
    os.utime(tmp_path / "g.fa.fai", ns=(0, 0))
    check_intervals(Project(settings, {"a": study}, []), tmp_path)


class Object:
    places = ("a",)

    @property
    def broken(self):
        raise InputError("no such place")

    def files(self, wildcards, input):
        if not input:
            raise InputError("no input")
        return [wildcards, input]

    def of(self, *names):
        def files(wildcards):
            return self.files(wildcards, names)

        return files


def test_a_mistake_in_what_rules_ask_for_stops_with_its_line():
    found = OrStop(Object())
    assert found.places == ("a",)
    assert found.files("w", input="i") == ["w", "i"]
    assert found.of("x")("w") == ["w", ("x",)]
    for asked, line in (
        (lambda: found.broken, "error: no such place"),
        (lambda: found.files("w", ""), "error: no input"),
        (lambda: found.of()("w"), "error: no input"),
        (lambda: or_stop(Object().files, "w", input=""), "error: no input"),
    ):
        with pytest.raises(SystemExit, match=line):
            asked()
    with pytest.raises(AttributeError):
        found.absent  # noqa: B018


def test_snakemake_sees_what_a_wrapped_method_asks_for():
    """It passes arguments by the names in the signature."""
    assert list(inspect.signature(OrStop(Object()).files).parameters) == ["wildcards", "input"]
    assert list(inspect.signature(OrStop(Object()).of("x")).parameters) == ["wildcards"]
