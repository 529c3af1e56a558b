"""The one exception that reaches a user as a sentence instead of a traceback."""


class InputError(Exception):
    """Something the user gave is wrong; the message says where, what it is and what is allowed."""
