import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.project import Project
from fineprior.foundation.settings import Settings
from fineprior.foundation.studies import Study
from fineprior.steps.check import check_formats


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
