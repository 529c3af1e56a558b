import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.samples import read_cohort

PEOPLE = [f"p{i}" for i in range(8)]


def write(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def trait(tmp_path, values, header="FID IID t", names=PEOPLE):
    rows = [
        f"f {name} {value}" if "FID" in header else f"{name}\t{value}"
        for name, value in zip(names, values, strict=True)
    ]
    return write(tmp_path / "trait.txt", header, rows)


@pytest.mark.parametrize(
    ("values", "binary", "expected"),
    [
        ("12121212", True, [0, 1, 0, 1, 0, 1, 0, 1]),
        ("01010101", True, [0, 1, 0, 1, 0, 1, 0, 1]),
        (["1.5", "2", "1", "2", "1", "2", "1", "2"], False, [1.5, 2, 1, 2, 1, 2, 1, 2]),
        ("02020202", False, [0, 2, 0, 2, 0, 2, 0, 2]),
    ],
)
def test_what_values_mean(tmp_path, values, binary, expected):
    cohort = read_cohort(PEOPLE, trait(tmp_path, values))
    assert (cohort.binary, cohort.trait.tolist()) == (binary, expected)
    assert cohort.cases == (4 if binary else 0)
    for array in (cohort.rows, cohort.trait, cohort.covariates):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_people_are_matched_by_name_in_the_order_of_the_genotypes(tmp_path):
    values = ["5", "NA", "3", "-9", "1", "0.5", "7"]
    names = ["p7", "p1", "p2", "p3", "p4", "p5", "stranger"]
    cohort = read_cohort(PEOPLE, trait(tmp_path, values, "#IID\ttrait", names))
    assert cohort.rows.tolist() == [2, 4, 5, 7]
    assert cohort.trait.tolist() == [3, 1, 0.5, 5]
    assert cohort.name == "trait"
    assert cohort.excluded == {"no phenotype": 4, "phenotype without genotypes": 1}


def test_covariates_span_the_same_space_whatever_is_redundant(tmp_path, caplog):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8)).round(6)
    b[3] = np.nan
    rows = [f"p{i} {a[i]:.6f} {2 * a[i] + 5:.6f} 7 {'NA' if i == 3 else f'{b[i]:.6f}'}" for i in range(8)]
    covariates = write(tmp_path / "c.txt", "IID age twice constant pc", rows)
    cohort = read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), covariates)
    assert cohort.rows.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert cohort.excluded["a covariate is missing"] == 1
    assert "covariate constant is the same for everybody; excluded" in caplog.text
    assert "covariate twice is a linear combination of those before it; excluded" in caplog.text
    assert cohort.covariates.T @ cohort.covariates == pytest.approx(np.eye(3), abs=1e-12)
    wanted = np.column_stack([np.ones(7), a[cohort.rows], b[cohort.rows]])
    assert cohort.covariates @ (cohort.covariates.T @ wanted) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "trait.txt: the first line must be a header that begins with IID, or with FID and IID"),
        ("p0 1\np1 2\n", "the first line must be a header"),
        ("X IID t\nf p0 1\n", "the first line must be a header"),
        ("IID\np0\n", "one trait is needed beside FID and IID; there are 0: none"),
        ("IID a b\np0 1 2\n", "one trait is needed beside FID and IID; there are 2: a, b"),
        ("IID t\n", "trait.txt: nobody below the header"),
        ("IID t\np0 1 2\n", "line 2: 3 fields, the header has 2; R writes names of rows unless row.names = FALSE"),
        ("IID t\np0 1\np0 2\n", "line 3: sample 'p0' is there twice"),
        ("IID t\n\np0 tall\n", "line 3: t of sample 'p0' is 'tall'; a number or NA is needed"),
        ("IID t\np0 1,5\n", "t of sample 'p0' is '1,5'"),
        ("IID t\np0 case\np1 0\n", "line 2: t of sample 'p0' is 'case'; a number or NA is needed"),
        ("IID t u\t\np0 1 2\n", "there are 2: t, u"),
        ("IID\tt\t\tu\np0\t1\t\t2\n", "column 3 has no name"),
        ("IID\tt\np0\t1\n\t2\n", "line 3: no name of a sample"),
        ("IID t\np0 1\np1\n", "line 3: 1 fields, the header has 2$"),
        ("IID t\np0 inf\n", "t of sample 'p0' is 'inf'; a number or NA is needed"),
        ("IID t\nx0 1\nx1 2\n", "nobody of it is in the genotypes; 'x0' is not, for example"),
        ("IID t\np0 1\np1 2\n", "2 samples are left"),
        ("IID t\n" + "".join(f"p{i} 1\n" for i in range(8)), "trait t: everybody has the value 1"),
        ("IID t\n" + "".join(f"p{i} {i % 3}\n" for i in range(8)), "values 0, 1 and 2; write NA where 0 means missing"),
    ],
)
def test_bad_traits(tmp_path, text, message):
    (tmp_path / "trait.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_cohort(PEOPLE, tmp_path / "trait.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IID sex\np0 male\n", r"sex of sample 'p0' is 'male'; .*write categories as columns of 0 and 1"),
        ("IID a a\np0 1 2\n", "a column is there twice; the header is IID a a"),
        ("IID a\np0 NA\n", "0 samples are left"),
    ],
)
def test_bad_covariates(tmp_path, text, message):
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), tmp_path / "c.txt")


MISSING = ["-9", "-9.0", "-9.00", "-9e0", "NA", "nan", "NaN", "N/A", ".", "null"]


@pytest.mark.parametrize("missing", MISSING)
def test_a_disease_is_one_however_missing_values_are_written(tmp_path, missing, caplog):
    values = ["1.0", "2.0", "1.0", "2.0", "2.0", "1.0", missing, missing]
    cohort = read_cohort(PEOPLE, trait(tmp_path, values))
    assert (cohort.binary, cohort.trait.tolist()) == (True, [0, 1, 0, 1, 1, 0])
    assert cohort.excluded["no phenotype"] == 2
    assert ("t is -9 of 2 samples, taken as missing, as in PLINK" in caplog.text) == missing.startswith("-9")
    assert "quantitative" not in caplog.text


@pytest.mark.parametrize("missing", MISSING)
def test_a_covariate_is_missing_as_a_phenotype_is(tmp_path, missing, caplog):
    ages = ["41", "52", missing, "47", "39", "60", missing, "55"]
    covariates = write(tmp_path / "c.txt", "FID IID age", [f"f p{i} {age}" for i, age in enumerate(ages)])
    cohort = read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), covariates)
    assert cohort.rows.tolist() == [0, 1, 3, 4, 5, 7]
    assert cohort.excluded["a covariate is missing"] == 2
    assert ("age is -9 of 2 samples, taken as missing" in caplog.text) == missing.startswith("-9")
    assert "could be a number" not in caplog.text


def test_minus_nine_among_values_of_both_signs_is_said(tmp_path, caplog):
    values = ["-12.5", "3", "-9", "7", "11", "-2", "0.5", "4"]
    covariates = write(tmp_path / "c.txt", "IID pc1", [f"p{i} {value}" for i, value in enumerate(values)])
    cohort = read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), covariates)
    assert cohort.rows.tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert "pc1 is -9 of 1 samples, taken as missing, as in PLINK; other values go from -12.5 to 11" in caplog.text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("02020202", "2 different values, taken as a quantitative trait: 0 (4 samples), 2 (4 samples); a disease has"),
        ("12312312", "3 different values, taken as a quantitative trait: 1 (3 samples), 2 (3 samples), 3 (2 samples)"),
        ("12345123", "5 different values"),
        ("12345612", ""),
        (["1", "2", "-1", "1", "2", "1", "2", "1"], "t is -1 of 1 samples and from 1 to 2 of all others; it is taken"),
        (
            ["21", "25", "-999", "30", "28", "22", "26", "-999"],
            "t is -999 of 2 samples and from 21 to 30 of all others",
        ),
        (["21", "25", "999", "30", "28", "22", "26", "27"], "t is 999 of 1 samples and from 21 to 30 of all others"),
        (["-2", "1.5", "-1", "0.3", "0.1", "0.9", "-0.4", "1.1"], ""),
    ],
)
def test_a_trait_that_may_be_something_else_is_said(tmp_path, values, said, caplog):
    assert not read_cohort(PEOPLE, trait(tmp_path, values)).binary
    assert said in caplog.text if said else not caplog.text


@pytest.mark.parametrize(
    ("case", "control"),
    [("case", "control"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ('"Case"', "Control")],
)
def test_words_of_a_disease_are_read(tmp_path, case, control):
    cohort = read_cohort(PEOPLE, trait(tmp_path, [case, control, "NA", control, case, control, "-9", control]))
    assert (cohort.binary, cohort.trait.tolist()) == (True, [1, 0, 0, 1, 0, 0])


def test_a_covariate_of_true_and_false_is_one_of_1_and_0(tmp_path):
    rows = [f"p{i} {'TRUE' if i % 3 else 'FALSE'}" for i in range(8)]
    cohort = read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), write(tmp_path / "c.txt", "IID smoker", rows))
    flag = np.array([0, 1, 1, 0, 1, 1, 0, 1.0])
    assert cohort.covariates @ (cohort.covariates.T @ flag) == pytest.approx(flag, abs=1e-12)


def test_unknown_sex_as_plink_codes_it_is_said(tmp_path, caplog):
    rows = [f"p{i} {sex}" for i, sex in enumerate("12120122")]
    read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), write(tmp_path / "c.txt", "IID Sex", rows))
    assert "Sex is 0 of 1 samples, beside 1 and 2: 0 is unknown in PLINK's files, and taken as a number" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfFID\tIID\tt\r\nf\tp0\t1.5\r\nf\tp1\t\r\nf\tp2\t2.5\r\nf\tp3\t4\r\nf\tp4\t-1\r\n",
        b"FID,IID,t\nf,p0,1.5\nf,p1,\nf,p2,2.5\nf,p3,4\nf,p4,-1\n",
        b'"FID" "IID" "t"\r"f" "p0" 1.5\r"f" "p1" NA\r"f" "p2" 2.5\r\r"f" "p3" 4e0\r"f" "p4" -1\r',
        b'IID\tt\t\t\n"p0"\t1.5\t\t\np1\t.\t\t\np2\t2.5\t\t\np3\t"4"\t\t\np4\t-1\t\t\n\t\t\t\n',
    ],
)
def test_tables_of_every_program_are_read(tmp_path, content):
    (tmp_path / "t").write_bytes(content)
    cohort = read_cohort(PEOPLE, tmp_path / "t")
    assert (cohort.rows.tolist(), cohort.trait.tolist()) == ([0, 2, 3, 4], [1.5, 2.5, 4, -1])


def test_people_of_one_name_are_named(tmp_path):
    with pytest.raises(InputError, match="genotypes: sample 'p1' is there twice"):
        read_cohort([*PEOPLE, "p1"], trait(tmp_path, np.arange(8.0)))
