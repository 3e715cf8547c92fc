"""Every notebook runs from top to bottom wherever it is started, and is kept as it was written.

Notebooks run in a copy of the folders that they read, so that nothing can be left in the
repository.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYTHON3 = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# A quote, a bracket or a space, then a drive or a folder of the root; not the `/` of a division.
ABSOLUTE = re.compile(r"""(?:^|["'(\s])(?:[A-Za-z]:\\|~?/(?=\w+[/"']))""", re.MULTILINE)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with notebooks and scenarios; what Jupyter keeps for itself lies beside it."""
    (tmp_path / "jupyter").mkdir()
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / "jupyter" / variable))
    for folder in ("notebooks", "scenarios"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / "copy" / folder,
            ignore=shutil.ignore_patterns(".ipynb_checkpoints"),
        )
    return tmp_path / "copy"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook with its outputs, run in a folder; raises the first error of a cell."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return notebook


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def faults(notebook: NotebookNode) -> Iterator[str]:
    """What a notebook in the repository must not have in it."""
    if notebook.metadata != PYTHON3:
        yield f"metadata: {dict(notebook.metadata)}"
    for number, cell in enumerate(notebook.cells):
        if cell.metadata:
            yield f"cell {number}: metadata"
        if ABSOLUTE.search(cell.source):
            yield f"cell {number}: absolute path"
        if cell.get("outputs"):
            yield f"cell {number}: outputs"
        if cell.get("execution_count") is not None:
            yield f"cell {number}: execution count"


def complaints(notebook: NotebookNode) -> Iterator[str]:
    """What a notebook that was run should not show: warnings, figures that are text only."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                yield f"{cell.id}: {output.text}"
            shown = output.get("data", {})
            if shown.get("text/plain", "").startswith("<Figure") and "image/png" not in shown:
                yield f"{cell.id}: a figure without a picture"


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.long
@each_notebook
def test_runs_from_top_to_bottom_and_leaves_nothing_behind(path: Path, copy: Path) -> None:
    before = files_in(copy)
    notebook = execute(read(copy / "notebooks" / path.name), copy / "notebooks")
    assert list(complaints(notebook)) == []
    assert files_in(copy) == before


def test_they_find_their_files_from_the_root_too(copy: Path) -> None:
    """Only the first code cell of each, which looks for them, one after the other."""
    cells = []
    for path in NOTEBOOKS:
        first = next(cell for cell in read(path).cells if cell.cell_type == "code")
        cells.append(new_code_cell(first.source))
        cells.append(new_code_cell("print(SCENARIOS.resolve())\ndel SCENARIOS"))
    done = execute(new_notebook(cells=cells, metadata=PYTHON3), copy)
    found = [Path(cell.outputs[0].text.strip()) for cell in done.cells[1::2]]
    assert found == [(copy / "scenarios").resolve()] * len(NOTEBOOKS)


@each_notebook
def test_is_kept_without_outputs_and_absolute_paths(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert list(faults(notebook)) == []


@each_notebook
def test_begins_with_a_question_in_english_and_chinese(path: Path) -> None:
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# .+\?\n", first.source)
    assert re.search(r"[\u4e00-\u9fff].*？", first.source)


# --- the checks are seen to fail -----------------------------------------------------------------


def test_faults_are_noticed() -> None:
    output = new_output("stream", text="42")
    cells = [
        new_markdown_cell("fine", metadata={"tags": ["x"]}),
        new_code_cell("open('/srv/hall.yaml')"),
        new_code_cell("6 * 7", outputs=[output], execution_count=3),
    ]
    assert list(faults(new_notebook(cells=cells, metadata={"widgets": {}}))) == [
        "metadata: {'widgets': {}}",
        "cell 0: metadata",
        "cell 1: absolute path",
        "cell 2: outputs",
        "cell 2: execution count",
    ]


@pytest.mark.parametrize(
    ("source", "is_absolute"),
    [
        ("'/opt/x/y.csv'", True),
        ("see ~/hall/a.yaml", True),
        (r"'C:\hall'", True),
        ("'scenarios/a.yaml'", False),
        ("a / b", False),
        ("pd.Timedelta(days=1) / hours", False),
        ("https://example.org/a", False),
        ('folder / "scenarios"', False),
    ],
)
def test_absolute_paths(source: str, is_absolute: bool) -> None:
    assert bool(ABSOLUTE.search(source)) is is_absolute


def test_warnings_and_figures_without_pictures_are_noticed() -> None:
    cells = [
        new_code_cell("", id="warns", outputs=[new_output("stream", name="stderr", text="old")]),
        new_code_cell("", id="prints", outputs=[new_output("stream", name="stdout", text="x")]),
        new_code_cell(
            "",
            id="draws",
            outputs=[new_output("display_data", data={"text/plain": "<Figure size 8x4>"})],
        ),
    ]
    assert list(complaints(new_notebook(cells=cells))) == [
        "warns: old",
        "draws: a figure without a picture",
    ]


def test_a_cell_that_fails_is_noticed(copy: Path) -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute(new_notebook(cells=[new_code_cell("1 / 0")]), copy)
