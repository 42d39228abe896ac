"""From a run folder to its documents: the assessment as HTML, Markdown and PDF, the notebooks as
HTML, and the index of all runs.

The assessment is a notebook like the others: it is executed on the run folder, and what it shows
becomes the documents. Same run, same HTML and Markdown, byte by byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..documents import ROOT
from ..execution import execute as execute_notebook
from .page import notebook_page, page_of, shell
from .pdf import print_page
from .sign_off import BEGIN, empty_sign_off, with_sign_off

__all__ = ["assessment", "empty_sign_off", "index", "markdown_of_notebook", "pdf", "with_sign_off"]

NOTEBOOK = ROOT / "notebooks" / "assessment.ipynb"
DEADLINE_S = 300
NOTEBOOK_ONLY = "notebook-only"  # tag of a cell that tells the notebook's reader what it is for


class RenderError(RuntimeError):
    """The assessment could not be made; the message says which cell broke and why."""


def assessment(run: Path) -> None:
    """Write ``assessment.html``, ``assessment.md`` and the executed notebook into a run folder, and
    a page beside every executed notebook.

    Raises RenderError when the notebook breaks; the run folder then has no assessment.
    """
    executed = execute(run)
    imprint = f"{run.parent.name}, run {run.name.removeprefix('.')}"
    page = page_of(executed, imprint)
    if page.count(BEGIN) != 1:
        raise RenderError("the page has no place for the sign-off")
    notebooks(run, imprint)
    (run / "assessment.html").write_bytes(page.encode())
    (run / "assessment.md").write_bytes(markdown_of_notebook(executed).encode())


def pdf(run: Path) -> bool:
    """Print ``assessment.pdf`` beside the page, where there is a Chromium; says whether it did."""
    return print_page(run / "assessment.html", run / "assessment.pdf")


def notebooks(run: Path, imprint: str) -> None:
    """Write each executed notebook of an area as a page; what is no notebook gets a sentence."""
    import nbformat

    for path in sorted((run / "notebooks").glob("*.ipynb")):
        if path.name == NOTEBOOK.name:  # assessment.html is its page
            continue
        try:
            notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
            page = notebook_page(notebook, imprint)
        except (ValueError, KeyError, AttributeError):
            page = shell("Notebook", "<h1>Notebook</h1><p>This notebook cannot be shown.</p>")
        path.with_suffix(".html").write_bytes(page.encode())


def execute(run: Path) -> dict[str, Any]:
    """Run assessment.ipynb on a run folder; the executed notebook is kept there.

    Its kernel works in the run's ``notebooks`` folder and gets ``run`` as "..": so the notebook
    holds no path of this machine, and can be run again from where it lies.
    """
    import nbformat
    from papermill.exceptions import PapermillException

    folder = run / "notebooks"
    folder.mkdir(exist_ok=True)
    output = folder / NOTEBOOK.name
    try:
        execute_notebook(str(NOTEBOOK), output, {"run": ".."}, DEADLINE_S, cwd=str(folder))
    except (PapermillException, RuntimeError, TimeoutError) as broke:
        last = str(broke).strip().splitlines()[-1:] or [type(broke).__name__]
        raise RenderError(f"assessment.ipynb broke: {last[0]}") from broke
    executed = nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]
    for cell in executed["cells"]:
        if cell["cell_type"] == "code" and cell["source"] and not cell.get("execution_count"):
            raise RenderError("assessment.ipynb was not run to its end")
    for name in ("input_path", "output_path"):  # of this machine, and of no use elsewhere
        executed["metadata"].get("papermill", {}).pop(name, None)
    nbformat.write(executed, output)  # type: ignore[no-untyped-call]
    executed["cells"] = [
        c for c in executed["cells"] if NOTEBOOK_ONLY not in c["metadata"].get("tags", [])
    ]
    notebook: dict[str, Any] = executed
    return notebook


def markdown_of_notebook(notebook: dict[str, Any]) -> str:
    """The executed notebook as Markdown: its prose, and the Markdown of each output."""
    parts = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append("".join(cell["source"]).strip())
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/markdown")
            parts.append("".join(text).strip() if text else "")
    unsigned = (
        "Signatures are shown in assessment.html and kept in attestation.json; "
        "`readiness verify` checks them."
    )
    return "\n\n".join([*(part for part in parts if part), unsigned]) + "\n"


def index(outputs: Path) -> None:
    """Write ``outputs/index.html``: the latest run of every environment at a glance."""
    from .index import index_page

    new = outputs / ".index.html.new"
    new.write_bytes(index_page(outputs).encode())
    new.replace(outputs / "index.html")
