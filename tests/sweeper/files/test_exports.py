import io

import pytest
from rich.console import Console

from sweeper.errors import DataError
from sweeper.files import exports, formats
from sweeper.files.convert import Converted

ROWS = tuple(
    Converted(format.name, format.file, 99_340_000 - place, 0.0123, 0.998, 500, 123.4, 4567.8, "Intel, 1 threads")
    for place, format in enumerate(formats.FORMATS)
)


def test_what_was_measured_is_read_as_it_was_written(tmp_path):
    exports.write(tmp_path, ROWS)
    assert exports.read(tmp_path) == ROWS


def test_a_folder_exported_by_earlier_versions_has_no_figures(tmp_path):
    assert exports.read(tmp_path) == ()


@pytest.mark.parametrize("content", ["onnx: 3", "onnx: {size: 1}", "onnx: {format: x}", "[1]", "onnx: [", "7: {}"])
def test_damaged_figures_are_an_error(content, tmp_path):
    (tmp_path / exports.NAME).write_text(content)
    with pytest.raises(DataError, match=r"exports.yaml is damaged: (.|\n)*Export the network again"):
        exports.read(tmp_path)


def test_a_table_of_large_files_fits_80_columns_without_a_cut():
    shown = io.StringIO()
    Console(file=shown, width=80).print(exports.table(ROWS))
    lines = shown.getvalue().splitlines()
    assert len(lines) == 1 + len(ROWS)
    assert "…" not in shown.getvalue()
    assert lines[1].split() == ["model.onnx", "99.34", "MB", "0.01", "99.8%", "123", "ms", "4,568", "ms"]


def test_lines_for_a_pipe_have_a_title_for_each_cell():
    titles, *rows = (line.split("\t") for line in exports.lines(ROWS))
    assert dict(zip(titles, rows[0], strict=True))["latency_32_ms"] == "4567.8"
    assert len(rows) == len(ROWS)
