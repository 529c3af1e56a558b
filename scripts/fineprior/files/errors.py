"""The exception for wrong input, which a user sees as one sentence, and how its message shows a value."""

import json
from typing import Any


class InputError(Exception):
    """Something the user gave is wrong; the message says where, what it is and what is allowed."""


def shown(value: Any, longest: int = 100) -> str:
    """A value for a message: on one line, and at most so many characters of it."""
    text = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= longest else f"{text[:longest]}..."
