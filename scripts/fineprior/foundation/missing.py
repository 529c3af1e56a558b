"""One answer to "missing": what the programs of the field write where there is no value.

| written by | words |
| --- | --- |
| PLINK, REGENIE, SAIGE, BOLT-LMM | NA, nan, `.`, and -9 for phenotypes, covariates and frequencies |
| R | NA, NaN, `<NA>`, NULL, and an empty field (`na = ""`) |
| pandas and Python | an empty field, nan, NaN, None, `<NA>`, NaT |
| SAS and Stata | `.` |
| spreadsheets, SQL, GWAS-SSF | an empty field, N/A, #N/A, NULL, #NA |

Words are the same in capitals and small letters, with blanks or quotation marks around them. -9 is a number: -9.0,
-9.00 and -9e0 are the same. It is missing only where a negative number has no meaning of its own, or PLINK takes it so.
"""

from collections.abc import Iterable

MINUS_NINE = -9.0
WORDS = frozenset({
    "", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "+nan", "-nan", "1.#qnan", "-1.#ind", "nat", "null", "none",
})  # fmt: skip
"""In small letters."""


def is_missing(value: object, minus_nine: bool = False) -> bool:
    """Whether a field of a user's file holds no value.

    Parameters
    ----------
    value
        The field as text, or what a reader made of it: None, a number, nan.
    minus_nine
        The number -9 means missing, too.
    """
    if value is None:
        return True
    text = str(value).strip().strip("\"'").strip()
    return text.casefold() in WORDS or (minus_nine and is_minus_nine(text))


def is_minus_nine(text: object) -> bool:
    """Whether a field is the number -9, however it is written."""
    try:
        return float(str(text).strip().strip("\"'")) == MINUS_NINE
    except ValueError:
        return False


def missing_among(values: Iterable[object], minus_nine: bool = False) -> set[object]:
    """Those of the values that are missing, to look up a whole column by its different values."""
    return {value for value in values if is_missing(value, minus_nine)}
