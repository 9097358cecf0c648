"""What went wrong in words for the user. Every message says what, where, what was got, and what to do."""

from sweeper import text
from sweeper.secret import without_credentials


class SweeperError(Exception):
    """Ends the program with its message alone: the text is meant for the user, a traceback would not help."""

    exit_code = 2

    def __init__(self, told: str):
        super().__init__("\n".join(map(text.printable, without_credentials(told).split("\n"))))


class ConfigError(SweeperError):
    """The command line or a yaml asks for something that cannot be done."""


class NotAllowed(ConfigError):
    """A config names code that the user has not allowed it to call."""


class DataError(SweeperError):
    """A file of a data set is missing, damaged or not what its name promises."""


class Diverged(SweeperError):
    """The loss of a training became infinite or NaN: a bad choice of hyperparameters, not a bug."""
