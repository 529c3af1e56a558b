"""The pages that are made from definitions are up to date."""

from pathlib import Path

import pytest

from fineprior.files import tables
from fineprior.project import dictionary

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", list(dictionary.PAGES))
def test_page_is_up_to_date(page):
    assert (ROOT / page).read_text() == dictionary.PAGES[page](), "run: python -m fineprior.project.dictionary"


def test_every_table_has_its_file():
    assert list(dictionary.FILES) == [table.name for table in tables.all_tables()]
