"""Each in a process of its own, for Keras is imported once."""

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_keras_is_there_without_what_it_only_looks_for_and_nothing_is_printed():
    names = "('keras', 'matplotlib', 'sklearn')"
    done = run(f"import sweeper.training.lean, sys; print(*(name in sys.modules for name in {names}))")
    assert done.stdout == "True False False\n"
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["matplotlib", "pandas", "sklearn"])
def test_it_is_found_by_what_imports_it_later(name):
    run(f"import sweeper.training.lean, {name}")


@pytest.mark.slow
def test_another_thread_imports_it_meanwhile():
    run(
        "import sys, threading\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'keras':\n"
        "            other = threading.Thread(target=__import__, args=['sklearn'])\n"
        "            other.start(); other.join(30)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "import sweeper.training.lean\n"
        "assert 'sklearn' in sys.modules\n"
    )
