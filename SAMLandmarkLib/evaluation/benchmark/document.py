"""What a benchmark writes beside its raw rows: figures, tables, plots, and the marked sections of a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...io.result_files import to_json
from ...utils.errors import UsageError
from ...utils.files import write_atomically
from ..baselines.baseline import PACKAGES, package_version
from ..provenance import describe_run
from .figures import Figures, comparison_figures
from .rows import RawRows
from .tables import accuracy_text, cost_text, differences_text, failures_text

REPORT_NAME, TEXT_NAME = "benchmark.json", "benchmark.md"
ERRORS_PLOT, COST_PLOT = "benchmark-errors.png", "benchmark-time.png"
_PLOT_OF_SECTION = {"benchmark-accuracy": ERRORS_PLOT, "benchmark-cost": COST_PLOT}
_ALT_TEXTS = {
    ERRORS_PLOT: "Share of landmarks within a distance of the truth, for each set and baseline",
    COST_PLOT: "Median error against seconds per pair, for each set and baseline",
}
_SECTION = r"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"


def write_benchmark(
    folder: Path, rows: RawRows, missing: Mapping[str, str], resamples: int, page: Path | None = None
) -> tuple[Figures, list[Path]]:
    """Write `benchmark.json`, `benchmark.md` and the plots of all rows; the figures and the paths.

    The sections of `page` that are marked `<!-- NAME: begin -->` and `<!-- NAME: end -->` are filled too, with the plots
    beside it. The plots are left out where matplotlib is missing. Raises OutputError, and UsageError where `page` has
    no such sections.
    """
    figures = comparison_figures(rows, resamples)
    provenance = describe_comparison(rows)
    plots = _plots(figures, rows)
    sections = comparison_sections(figures, missing, provenance)
    for name, plot in _PLOT_OF_SECTION.items():
        if plot in plots:
            sections[name] += f"\n\n![{_ALT_TEXTS[plot]}]({plot})"
    document = {"format": "samlandmark-benchmark", "format_version": 1, **provenance}
    document |= {"missing": dict(missing), "sets": figures}
    contents: dict[Path, bytes | str] = {
        folder / REPORT_NAME: json.dumps(to_json(document), indent=2, ensure_ascii=False) + "\n",
        folder / TEXT_NAME: _page(sections),
    }
    contents |= {folder / name: png for name, png in plots.items()}
    if page is not None:
        contents[page] = fill_sections(page, sections)
        contents |= {page.parent / name: png for name, png in plots.items()}
    for path, content in contents.items():
        write_atomically(path, content)
    return figures, list(contents)


def describe_comparison(rows: RawRows) -> dict[str, Any]:
    """Machine, versions of everything that was compared, and over which dates and commits the rows were measured."""
    run = describe_run()
    days = sorted({row.finished[:10] for row in rows.pairs})
    run["date"] = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else run["date"]
    run["commit"] = ", ".join(sorted({row.commit for row in rows.pairs if row.commit})) or None
    run["versions"] |= {name: version for name in PACKAGES.values() if (version := package_version(name))}
    return run


def comparison_sections(
    figures: Mapping[str, Figures], missing: Mapping[str, str], provenance: Mapping[str, Any]
) -> dict[str, str]:
    """Markdown of each part of the page, by the name that marks its place."""
    return {
        "benchmark-run": provenance_text(provenance),
        "benchmark-accuracy": accuracy_text(figures),
        "benchmark-differences": differences_text(figures),
        "benchmark-cost": cost_text(figures),
        "benchmark-failures": failures_text(figures, missing),
    }


def provenance_text(provenance: Mapping[str, Any]) -> str:
    """Where, when and with what something was measured, as Markdown."""
    machine = provenance["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    gpu = machine["gpu"] or "no GPU"
    commit = re.sub(r"\b([0-9a-f]{9})[0-9a-f]{31}", r"\1", provenance["commit"] or "not from a git checkout")
    processor = f"{machine['processor']}, {machine['instruction_set']}, {machine['cores']} cores"
    return (
        f"{processor}, {gpu}; {machine['system']}. SAMLandmark computes in {machine['precision']}. "
        f"{versions}. Measured {provenance['date'][:10]}, commit {commit}."
    )


_HEADINGS = {
    "benchmark-run": "",
    "benchmark-accuracy": "## Accuracy (in brackets: 95 % bootstrap interval)",
    "benchmark-differences": "## Error minus that of SAMLandmark (accurate), at the landmarks that both found",
    "benchmark-cost": "## Time and memory of a pair (medians; × = times as much as SAMLandmark, accurate)",
    "benchmark-failures": "## Missing and failed",
}


def _page(sections: Mapping[str, str]) -> str:
    parts = ["# Benchmark"]
    for name, text in sections.items():
        parts += [part for part in (_HEADINGS[name], text) if part]
    return "\n\n".join(parts) + "\n"


def fill_sections(page: Path, sections: Mapping[str, str]) -> str:
    """The text of a page with its marked sections replaced; UsageError where it has none of them."""
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{page}: can't be read ({error.strerror}); give a page with marked sections."
        ) from error
    found = 0
    for name, content in sections.items():
        pattern = re.compile(_SECTION.format(name=re.escape(name)), re.DOTALL)
        text, count = pattern.subn(
            lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text
        )
        found += count
    if not found:
        marks = ", ".join(f"<!-- {name}: begin -->" for name in sections)
        raise UsageError(f"{page}: none of the marks {marks} with its end is there; add at least one.")
    return text


def _plots(figures: Figures, rows: RawRows) -> dict[str, bytes]:
    if find_spec("matplotlib") is None or not rows.landmarks:
        return {}
    from .plots import cost_plot, errors_plot

    return {ERRORS_PLOT: errors_plot(rows.landmarks), COST_PLOT: cost_plot(figures)}
