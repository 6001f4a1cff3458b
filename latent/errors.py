"""The one error that a person is meant to read."""


class UserError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next.

    The command line prints its text on one line; the screens show the same words.
    """
