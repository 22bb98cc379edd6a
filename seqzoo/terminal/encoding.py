"""The encoding of arguments and file names, which Python takes from the locale when it starts."""

from __future__ import annotations

import codecs
import locale
import os
import sys

__all__ = ["start_in_utf8"]


def start_in_utf8() -> None:
    """Start this process again in Python's UTF-8 mode if its arguments and file names are ASCII.

    In such a process every name that is not ASCII is a text with escapes that nothing can print,
    encode or store. The streams keep the encoding of the locale. For the start of a process only.
    """
    encoding = codecs.lookup(sys.getfilesystemencoding()).name
    if encoding != "ascii" or "utf8" in sys._xoptions or not sys.executable:
        return
    os.environ.setdefault("PYTHONIOENCODING", f"{locale.getencoding()}:surrogateescape")
    # The first -X utf8 counts.
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
