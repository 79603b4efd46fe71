"""The dossier as one self-contained page for a browser. It takes the extra ``report``."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError

_EXTRA = frozenset({"jinja2", "markupsafe", "altair", "vl_convert"})


def html(dossier: Dossier) -> str:
    """The report as HTML.

    Args:
        dossier: What to report.

    Returns:
        A whole document that needs no network, no script and no other file. Equal dossiers give
        equal text.

    Raises:
        InputError: If the libraries that make it aren't installed.
    """
    try:
        from tuneworthy.report.html.page import rendered
    except ModuleNotFoundError as caught:
        if caught.name not in _EXTRA:
            raise
        fix = 'in a clone, pip install ".[report]" installs it; or choose another format'
        what = f"this format needs the extra report ({caught.name} is not installed)"
        raise InputError(what, where="--format html", fix=fix) from None
    return rendered(dossier)
