"""Options and the recommendation in words, for the dossier, the terminal and Markdown."""

from __future__ import annotations

from tuneworthy.report.options.results import option_results, recommendation

__all__ = ["option_results", "recommendation"]
