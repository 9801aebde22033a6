"""What the server writes to its log: one line of ``key=value`` pairs for each thing that happened.

A line may name a stack by the first characters of its id, never by all of it: the id is the key to the stack. Names of
files are people's own, and stay out of the log.
"""

from __future__ import annotations

import logging
import re
import time

ID_SHOWN = 6  # characters of a stack id in a log: enough to tell stacks apart, useless as a key
OWN_LOGGERS = ("core", "pages")
# Control characters (C0, C1) and the two separators of Unicode: with them a text from outside could forge a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """``time=2026-01-31T12:00:00.000Z level=info logger=core.api.traffic MESSAGE``, always on one line (UTC)."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__("time=%(asctime)s level=%(level)s logger=%(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line; what would end it, or steer a terminal, is written as an escape: ``\\n``."""
        record.level = record.levelname.lower()
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), super().format(record))


def configure_logs(level: str) -> None:
    """Write the product's own log from ``level`` up, and warnings of the libraries, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())
