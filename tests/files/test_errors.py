import pytest

from fineprior.files.errors import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"), (5, "5"), (None, "None"), ({"a": [1, "b"]}, '{"a": [1, "b"]}'), ("a\nb", "a\\nb"),
        ("x" * 100, "x" * 100), ("x" * 101, "x" * 100 + "..."), ([1] * 50, "[" + "1, " * 33 + "..."),
    ],
)  # fmt: skip
def test_a_value_is_shown_on_one_line_that_ends(value, text):
    assert shown(value) == text


def test_a_length_can_be_given():
    assert shown("abcdef", 3) == "abc..."
