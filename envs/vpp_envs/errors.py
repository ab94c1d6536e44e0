"""The one error that a user can mend: its text is a sentence."""


class InputError(ValueError):
    """Bad input from a person: a file, a row, a key or a value.

    The message is one sentence that names the file, row, column or key, what was
    expected, and the fix. Command lines print it and exit with 2, without a traceback.
    """
