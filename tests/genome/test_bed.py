import pytest

from fineprior.files.errors import InputError
from fineprior.genome.bed import batch_of, bed_lines, loci_by_batch, locus_name, place_of


@pytest.mark.parametrize(("chrom", "name"), [("chr17", "chr17_5_9"), ("17", "chr17_5_9"), ("23", "chrX_5_9")])
def test_names_hold_the_place(chrom, name):
    assert locus_name(chrom, 5, 9) == name
    assert place_of(name) == (name.split("_")[0], 5, 9)


def test_a_contig_with_underscores_has_a_place():
    assert place_of(locus_name("un_1_random", 5, 9)) == ("chrUN_1_RANDOM", 5, 9)


def write(path, lines):
    path.write_text("# comment\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_a_further_line_changes_one_batch_and_its_order_none(tmp_path):
    lines = [f"chr1\t{start}\t{start + 50}" for start in range(0, 4000, 100)]
    before = loci_by_batch(write(tmp_path / "l.bed", lines), 7)
    assert sorted(name for names in before for name in names) == sorted(line.replace("\t", "_") for line in lines)
    assert loci_by_batch(write(tmp_path / "l.bed", [f"{line}\tname" for line in reversed(lines)]), 7) == before
    assert loci_by_batch(write(tmp_path / "l.bed", [line.removeprefix("chr") for line in lines]), 7) == before
    after = loci_by_batch(write(tmp_path / "l.bed", [*lines, "2 7 9"]), 7)
    assert [number for number in range(7) if after[number] != before[number]] == [batch_of("chr2_7_9", 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "l.bed: no interval"),
        ("1 2\n", "line 1: '1 2' is not chromosome, start"),
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xe9\n", "not a text file"),
    ],
)
def test_what_is_no_bed_is_named(tmp_path, text, message):
    (tmp_path / "l.bed").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        list(bed_lines(tmp_path / "l.bed"))
    with pytest.raises(InputError, match=r"other\.bed: no such file"):
        loci_by_batch(tmp_path / "other.bed", 2)
