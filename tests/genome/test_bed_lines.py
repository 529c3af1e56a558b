import tracemalloc

import pytest

from fineprior.files.errors import InputError
from fineprior.genome.bed import bed_lines, placed_intervals, whole_number
from fineprior.genome.contigs import Contigs


def write(path, text):
    path.write_text(text, newline="")
    return path


def places(path):
    return [(line.chrom, line.start, line.end) for line in bed_lines(path)]


@pytest.mark.parametrize(
    "line",
    [
        "chr1\t10\t20",
        "chr1 10 20",
        "  chr1   10  20  ",
        "chr1 10\t20\tname with blanks",
        "chr1\t10\t20\t",
        "chr1\t10\t20\t\t\t",
        "chr1\t 10\t20 \tpeak 1\t0\t.",
        "chr1\t0010\t20",
        "chr1\t10\t20\tn\t0\t+\t10\t20\t0\t1\t10,\t0,",
        "chr1\t10\t20\tpeak\t1000\t.\t5.5\t3.1\t2.0\t5",
    ],
)
def test_lines_that_are_the_same_interval(tmp_path, line):
    assert places(write(tmp_path / "a.bed", line + "\n")) == [("chr1", 10, 20)]


def test_lines_that_are_no_intervals_may_stand_anywhere(tmp_path):
    text = "browser position chr1\ntrack name=a\nchr1\t1\t2\n\n  # a comment\n \t \n"
    text += "track\ttype=bed\n#chr9\t1\t2\ntrack2\t3\t4\n"
    assert places(write(tmp_path / "a.bed", text)) == [("chr1", 1, 2), ("track2", 3, 4)]


def test_further_fields_keep_their_columns(tmp_path):
    lines = list(bed_lines(write(tmp_path / "a.bed", "chr1\t1\t2\ta name\t\t-\nchr1 1 2 n\n")))
    assert [line.more for line in lines] == [("a name", "", "-"), ("n",)]
    assert lines[1].where == f"{tmp_path}/a.bed, line 2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t10", "'chr1 10' is not chromosome, start"),
        ("chr1,10,20", "'chr1,10,20' is not chromosome, start"),
        ("\t10\t20\t30", "has an empty chromosome"),
        ("chr1\t\t10\t20", "has an empty start"),
        ("chr1\t10\t\t20", "has an empty end"),
        ("chrom\tstart\tend", r"a BED file has no header: remove that line, or begin it with #"),
        ("chr1\t\u00b2\t500", "is not chromosome, start"),
        ("chr1\t\u0661\t500", "is not chromosome, start"),
        ("chr1\t-5\t500", "is not chromosome, start"),
        ("chr1\t+5\t500", "is not chromosome, start .*write 5 for \\+5"),
        ("chr1\t5.0\t500", "is not chromosome, start .*write 5 for 5.0"),
        ("chr1\t5.5\t500", "is not chromosome, start .*as whole numbers$"),
        ("chr1\t1e5\t1e6", "is not chromosome, start .*write 100000 for 1e5"),
        ("chr1\t1,000\t2,000", "is not chromosome, start .*write 1000 for 1,000"),
        ("chr1\t0x10\t500", "is not chromosome, start"),
        ("chr1\t5_0\t500", "is not chromosome, start"),
        ("chr1\tnan\t500", "is not chromosome, start"),
        ("chr1\tinf\tinf", "no header"),
        ("chr1 1\u00a0000 2\u00a0000", "is not chromosome, start"),
        ("chr1\t0\t" + "9" * 12, "ends beyond 2,147,483,647"),
        ("chr1\t0\t" + "9" * 5000, "is not chromosome, start"),
        ("chr1\t9\t9", r"9-9 must have start < end \(which holds no base"),
        ("chr1\t9\t8", r"9-8 must have start < end \(the start lies behind the end"),
    ],
)
def test_lines_that_are_none_are_named(tmp_path, line, message):
    path = write(tmp_path / "a.bed", f"chr1\t1\t2\n{line}\n")
    with pytest.raises(InputError, match=f"a.bed, line 2: .*{message}") as caught:
        places(path)
    assert len(str(caught.value)) - len(str(tmp_path)) < 300


@pytest.mark.parametrize("text", ["", "\n \n", "# x\ntrack name=x\n"])
def test_a_file_without_intervals_is_an_error(tmp_path, text):
    with pytest.raises(InputError, match=r"a.bed: no interval in this BED file"):
        places(write(tmp_path / "a.bed", text))


def test_numbers_are_digits_only():
    assert [whole_number(text) for text in ("0", "007", "12")] == [0, 7, 12]
    assert {whole_number(text) for text in ("", "-1", "1.0", "1e3", "\u00b2", " 1", "9" * 19)} == {None}


@pytest.mark.slow
def test_a_large_file_is_not_held_in_memory(tmp_path):
    write(tmp_path / "a.bed", "".join(f"chr1\t{i}\t{i + 9}\tpeak\n" for i in range(200_000)))
    tracemalloc.start()
    assert sum(line.end - line.start for line in bed_lines(tmp_path / "a.bed")) == 9 * 200_000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


LENGTHS = {"chr1": 100, "chr2": 50}


def placed(path):
    return list(placed_intervals(path, Contigs("g.fa", LENGTHS).find, LENGTHS, "g.fa"))


def test_intervals_have_the_genomes_names(tmp_path):
    assert placed(write(tmp_path / "a.bed", "2\t0\t50\nchr1\t5\t9\n")) == [("chr2", 0, 50), ("chr1", 5, 9)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2\t0\t51", r"0-51 must have start < end <= 50 \(length of chr2\)"),
        ("NC_000001.11\t0\t5", r"g.fa has no contig 'NC_000001.11'; there are chr1, chr2"),
        ("chr1\t1\t2", "chr1_1_2 is there twice"),
    ],
)
def test_intervals_outside_of_the_genome_are_named(tmp_path, line, message):
    with pytest.raises(InputError, match=f"a.bed, line 2: {message}"):
        placed(write(tmp_path / "a.bed", f"1\t1\t2\n{line}\n"))
