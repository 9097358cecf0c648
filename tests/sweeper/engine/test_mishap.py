import re
from pathlib import Path

import pytest

from sweeper.engine import mishap
from sweeper.errors import ConfigError


def raised(tmp_path, source, name="mine.py"):
    """What this source raises, as a file of the user's."""
    file = tmp_path / name
    file.write_text(source)
    try:
        exec(compile(source, str(file), "exec"), {})
    except Exception as error:
        return error


def test_the_paragraph_names_the_users_own_line_not_the_librarys(tmp_path):
    source = "import json\n\ndef load():\n    return json.loads('{')\n\nload()\n"
    what, where = mishap.paragraph(raised(tmp_path, source)).split("\n")
    assert what.startswith("JSONDecodeError: Expecting property name")
    assert where == f"{tmp_path / 'mine.py'}, line 4, in load: return json.loads('{{')"


def test_an_endless_message_is_cut_and_no_terminal_obeys_it(tmp_path):
    what, _ = mishap.paragraph(raised(tmp_path, "raise ValueError('\\x1b[2J' + 'long\\n' * 1000)")).split("\n")
    assert len(what) < 700
    assert "\x1b" not in what


def test_the_traceback_goes_to_a_file_that_is_named(tmp_path, capsys):
    assert mishap.tell(raised(tmp_path, "1 / 0"), tmp_path) == 1
    said = capsys.readouterr().err
    (file,) = re.findall("The full traceback is in (.*)", said)
    assert Path(file) == tmp_path / mishap.FILE
    assert Path(file).read_text().startswith("Traceback")
    assert "Traceback (most" not in said


def test_where_the_folder_cannot_be_written_it_goes_to_another(tmp_path, capsys):
    mishap.tell(raised(tmp_path, "1 / 0"), tmp_path / "nowhere")
    (file,) = re.findall("The full traceback is in (.*)", capsys.readouterr().err)
    assert Path(file).read_text().startswith("Traceback")
    Path(file).unlink()


def test_a_password_is_in_neither(tmp_path, capsys):
    mishap.tell(raised(tmp_path, "raise OSError('mysql://me:secret@host/db')"), tmp_path)
    assert "secret" not in capsys.readouterr().err + (tmp_path / mishap.FILE).read_text()


def test_what_was_foreseen_is_its_own_sentence(capsys):
    assert mishap.tell(ConfigError("trainer.epochs=0: give more.")) == 2
    assert capsys.readouterr().err == "\ntrainer.epochs=0: give more.\n"


def test_on_80_columns_no_word_is_cut(terminal):
    typed = terminal("trainer.epoch=3")
    assert typed.wait() == 2
    assert max(map(len, typed.said.splitlines())) <= 80
    assert {"epochs,", "steps_per_execution,", "jit_compile."} <= set(typed.said.split())


def test_who_wants_all_gets_the_exception(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError):
        mishap.tell(ConfigError("no"))
