import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.samples import kept_samples, read_fam, read_males, read_psam

PEOPLE = [("f1", "a"), ("f2", "b"), ("f3", "b"), ("f4", "c")]


@pytest.fixture
def write(tmp_path):
    def written(text):
        (tmp_path / "list.txt").write_text(text)
        return tmp_path / "list.txt"

    return written


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("c\na\n", [0, 3]),
        ("\ufefff1 a\r\nf4\tc\r\n", [0, 3]),
        ("#IID\nc\na\na\n", [0, 3]),
        ("f3 b extra\nf2 b\n", [1, 2]),
        ("0 c\n0 a\n", [0, 3]),  # VCFs and .psam files without families
        ("IID\nc\na\n", [0, 3]),
        ('"FID" "IID"\n"f1" "a"\n"f4" "c"\n', [0, 3]),
        ("\n#FID\tIID\rf1\ta\rf4\tc\r", [0, 3]),
    ],
)
def test_people_are_kept_in_the_order_of_the_panel(write, text, rows):
    assert kept_samples(write(text), PEOPLE, "panel").tolist() == rows


def test_without_a_list_everybody_is_kept():
    assert kept_samples(None, PEOPLE, "panel").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nx\ny\nz\nw\n", r"list\.txt: 4 samples are not in panel: x, y, z, \.\.\."),
        ("a\nb\n", r"line 2: 2 samples of panel have the name 'b'"),
        ("a\nNA\nc\n", r"line 2: 'NA' names nobody"),
        ("f1 a\nc\nIID\n", r"1 samples are not in panel: IID"),
        ("a\0\n", r"line 1: not text in UTF-8 \(a byte is 0\)"),
        ("a\n", "1 samples; LD needs two or more"),
        ("", "0 samples"),
    ],
)
def test_lists_that_do_not_fit_are_named(write, text, message):
    with pytest.raises(InputError, match=message):
        kept_samples(write(text), PEOPLE, "panel")


def test_files_of_people(write, tmp_path):
    assert read_fam(write("f i 0 0 0 -9\n\nf j 0 0 0 -9\n")) == [("f", "i"), ("f", "j")]
    assert read_fam(write('\ufeff"f" "i" 0 0 0 -9\r"f" "j" 0 0 0 -9\r')) == [("f", "i"), ("f", "j")]
    assert read_psam(write('"#FID"\t"IID"\r\n"f"\t"i"\r\n')) == [("f", "i")]
    assert read_psam(write("##note\n#FID\tIID\tSEX\nf\ti\tNA\n")) == [("f", "i")]
    assert read_psam(write("#IID\tSEX\ni\tNA\n")) == [("0", "i")]
    assert read_psam(write("f\ti\n")) == [("f", "i")]
    for read, text, message in [
        (read_fam, "", "no samples"),
        (read_fam, "only\n", "line 1: one column"),
        (read_fam, "FID IID PAT MAT SEX PHENO\nf i 0 0 0 -9\n", r"line 1: a header \(FID IID .*delete this line"),
        (read_psam, "#IID\n", "no samples"),
        (read_psam, "i\n", "line 1: no sample"),
    ]:
        with pytest.raises(InputError, match=message):
            read(write(text))
    with pytest.raises(InputError, match="no such file"):
        read_fam(tmp_path / "absent")


def test_who_is_a_man(write):
    assert read_males(write("f a 0 0 1 -9\nf b 0 0 2 -9\nf c 0 0 0 -9\nf d\n")).tolist() == [True, False, False, False]
    assert read_males(write("#IID\tSEX\na\tM\nb\tF\nc\t1\nd\tNA\n")).tolist() == [True, False, True, False]
    assert read_males(write("#FID\tIID\nf\ta\n")).tolist() == [False]
