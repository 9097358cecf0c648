"""A trial in MLflow's registry: a real store, a real server, a real image."""

import argparse
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pandas as pd
import pytest

from sweeper.commands import predict, promote
from sweeper.commands.replay import replay
from sweeper.config.compose import composed
from sweeper.datasets import digits
from sweeper.errors import ConfigError, DataError
from sweeper.files import card
from sweeper.records import journal
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.tracking import model_log, store
from sweeper.training import trial

from .. import ports


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Holds the sweep `monday`, which MLflow has: trial 0 is the best, of trial 1 no network was kept."""
    root = tmp_path_factory.mktemp("root")
    monday = root / "multirun" / "monday"
    cfg = composed(["model.filters=8", "trainer.epochs=5", "trainer.batch_size=16"])
    del cfg.tracking  # nothing of a trial
    value = trial.run(cfg, folder=monday / "0").value
    file = journal.Journal(monday)
    file.write(SweepStarted("monday", "python -m sweeper -m", "val_accuracy", ("maximize",), 2, None, 1.0))
    for number, found in enumerate((value, 0.1)):
        command = f"python -m sweeper seed={number}"
        file.write(TrialStarted(number, 0, {}, command, str(number), 2.0))
        file.write(TrialEnded(number, "FINISHED", (found,), None, {}, 3.0))
    file.write(SweepEnded("FINISHED", None, 0, 4.0))
    file.close()
    uri = store.absolute(f"sqlite:///{root}/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)  # where MLflow puts what it is given
        replay(monday, experiment="digits", uri=uri)
    store.remember(monday, uri, "digits")
    return root


@pytest.fixture(autouse=True)
def _in_root(root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    mlflow.set_tracking_uri(None)


@pytest.fixture
def client():
    return mlflow.MlflowClient("sqlite:///mlflow.db")


def run(*arguments: object) -> None:
    parser = argparse.ArgumentParser()
    promote.add_arguments(parser)
    assert promote.run(parser.parse_args([str(argument) for argument in arguments])) == 0


def test_a_promoted_trial_is_a_version_that_names_the_classes_of_images(client, capsys, tmp_path):
    run("best", "--name", "digits", "--alias", "champion")
    version = client.get_model_version_by_alias("digits", "champion")
    assert int(version.version) == 1
    described = card.read(Path("multirun/monday/0"))
    assert version.tags == {
        "sweeper.trial": "monday/0",
        "sweeper.sweep": "monday",
        "sweeper.metric": "val_accuracy",
        "sweeper.value": repr(described.value),
        "sweeper.command": "python -m sweeper seed=0",
    }
    shown = capsys.readouterr().out
    assert "Trial monday/0 is version 1 of digits: models:/digits@champion" in shown
    assert "\n  mlflow models serve -m models:/digits@champion --env-manager local" in shown

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    model = mlflow.pyfunc.load_model("models:/digits@champion")
    test = digits.load(seed=0).test
    answers = model.predict(test.images[:20])
    assert np.mean([int(answer["class"]) == label for answer, label in zip(answers, test.labels, strict=False)]) >= 0.9
    for image, answer in zip(test.images[:3], answers, strict=False):
        _, png = cv2.imencode(".png", image)
        frame = pd.DataFrame({"image": [base64.b64encode(png).decode()]})
        (of_file,) = model.predict(frame)
        assert of_file["class"] == answer["class"]
        assert of_file["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-6)


def test_a_trial_is_promoted_again_only_if_asked(client, capsys):
    run("monday/0", "--name", "again")
    run("monday/0", "--name", "again", "--alias", "a")
    assert "is version 1 of again already; --again makes another one: models:/again@a" in capsys.readouterr().out
    assert int(client.get_model_version_by_alias("again", "a").version) == 1
    run("monday/0", "--name", "again", "--alias", "a", "--again")
    assert int(client.get_model_version_by_alias("again", "a").version) == 2
    assert len(client.search_model_versions("name='again'")) == 2
    (output,) = client.get_run(client.get_model_version("again", "1").run_id).outputs.model_outputs
    assert {version.source for version in client.search_model_versions("name='again'")} == {
        f"models:/{output.model_id}"
    }


def test_the_model_pins_its_packages_and_shows_what_to_send(client):
    run("monday/0", "--name", "pinned")
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    folder = Path(mlflow.artifacts.download_artifacts("models:/pinned/1"))
    pinned = dict(line.split("==") for line in (folder / "requirements.txt").read_text().split())
    assert set(pinned) == {"keras", "tensorflow", "numpy", "opencv-python-headless", "mlflow"}
    assert not [file for file in folder.rglob("*") if file.suffix == ".pkl"]
    info = mlflow.models.get_model_info("models:/pinned/1")
    assert info.metadata["classes"] == [str(number) for number in range(10)]
    assert info.signature.inputs.input_names() == ["image"]
    assert info.signature.outputs.input_names() == ["class", "probability", "probabilities"]
    example = json.loads((folder / "serving_input_example.json").read_text())
    assert list(example["dataframe_split"]["columns"]) == ["image"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere/0", "--name", "x"], "No sweep is called nowhere"),
        (["monday/7", "--name", "x"], "has no trial 7"),
        (["abcdef99", "--name", "x"], "No trial's MLflow run begins with"),
        (["monday/1", "--name", "x"], "was not kept"),
        (["monday/0", "--name", "a/b"], "does not take --name a/b: .*'/'"),
        (["monday/0", "--name", ""], "does not take --name"),
        (["monday/0", "--name", "x", "--alias", "v1"], "--alias v1: give letters"),
        (["monday/0", "--name", "x", "--alias", "latest"], "--alias latest"),
        (["monday/0", "--name", "x", "--alias", "a b"], "--alias a b"),
        (["monday/0", "--name", "x", "--alias", ""], "--alias "),
    ],
)
def test_what_cannot_be_promoted_is_refused_and_registers_nothing(words, complaint, client):
    with pytest.raises(ConfigError, match=complaint):
        run(*words)
    assert not client.search_registered_models("name='x'")


def test_a_store_that_is_away_or_lacks_the_run_is_an_error_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(ConfigError, match=r"cannot be reached: .*gone.db does not exist\nStart it"):
        run("monday/0", "--name", "x")
    assert not (tmp_path / "gone.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{ports.free()}")
    with pytest.raises(ConfigError, match=r"cannot be reached: .*Connection"):
        run("monday/0", "--name", "x")
    store.connect(f"sqlite:///{tmp_path}/other.db", "digits")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(ConfigError, match=r"lacks run .*\n.*python -m sweeper replay monday"):
        run("monday/0", "--name", "x")


def test_a_sweep_that_mlflow_never_saw_is_an_error_with_the_command_that_mends_it(root):
    tuesday = Path("multirun/tuesday")
    shutil.copytree(root / "multirun" / "monday", tuesday)
    (tuesday / "mlflow.jsonl").unlink()
    try:
        with pytest.raises(ConfigError, match=r"no run of trial 0. .*python -m sweeper replay tuesday"):
            run("tuesday/0", "--name", "x")
    finally:
        shutil.rmtree(tuesday)


def test_an_earlier_model_that_takes_scaled_arrays_is_not_registered(client, root):
    """As a sweep's end logged it before: with Keras' own flavour and without the tag."""
    run_id = promote.sweeps.find_trial("monday/0", None).run_id
    count = len(client.get_run(run_id).outputs.model_outputs)
    uri = store.absolute("sqlite:///mlflow.db")
    found = model_log.servable(client, run_id, uri, root / "multirun" / "monday" / "0")
    for model in client.get_run(run_id).outputs.model_outputs:
        client.delete_logged_model_tag(model.model_id, model_log.SERVABLE)
    fresh = model_log.servable(client, run_id, uri, root / "multirun" / "monday" / "0")
    assert fresh != found
    assert len(client.get_run(run_id).outputs.model_outputs) == max(1, count) + 1


@pytest.fixture
def broken(root):
    """The sweep `broken`, like monday, whose best network is to be damaged."""
    folder = root / "multirun" / "broken"
    shutil.copytree(root / "multirun" / "monday", folder)
    yield folder / "0"
    shutil.rmtree(folder)


def test_a_damaged_network_is_refused_before_anything_is_registered(broken, client):
    network = (broken / "model.keras").read_bytes()
    (broken / "model.keras").write_bytes(network[:5000])
    with pytest.raises(DataError, match=r"model.keras cannot be loaded: .*\nTrain it again"):
        run("broken/0", "--name", "broken")
    assert not client.search_registered_models("name='broken'")


def test_a_network_that_is_none_of_its_card_is_refused(broken, client):
    replace(card.read(broken), input_shape=(9, 9, 1)).write(broken)
    with pytest.raises(DataError, match=r"takes \(None, 8, 8, 1\) and answers .* tells of \(None, 9, 9, 1\)"):
        run("broken/0", "--name", "broken")
    assert not client.search_registered_models("name='broken'")


def test_a_model_that_mlflow_cannot_load_is_deleted_again(broken, client):
    run_id = promote.sweeps.find_trial("monday/0", None).run_id
    experiment = client.get_run(run_id).info.experiment_id
    fresh = client.create_run(experiment).info.run_id
    (broken / "model.keras").write_bytes((broken / "model.keras").read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be served: "):
        model_log.servable(client, fresh, store.absolute("sqlite:///mlflow.db"), broken)
    assert not [model for model in client.search_logged_models([experiment]) if model.source_run_id == fresh]


@pytest.mark.slow
def test_a_served_model_answers_an_image_by_http_as_predict_does(tmp_path):
    run("best", "--name", "served", "--alias", "champion")
    test = digits.load(seed=0).test
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, image in zip(files, test.images, strict=False):
        cv2.imwrite(str(file), np.kron(image[..., 0], np.ones((5, 5), np.uint8)))  # 40 x 40
    port = str(ports.free())
    serve = [
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/served@champion",
        "--env-manager",
        "local",
        "--port",
        port,
    ]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where uvicorn is
    environment = os.environ | {"PATH": path, "MLFLOW_TRACKING_URI": store.absolute("sqlite:///mlflow.db")}
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, *serve], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", server, tmp_path / "log")
            encoded = [base64.b64encode(file.read_bytes()).decode() for file in files]
            by_file = ask(port, {"dataframe_records": [{"image": file} for file in encoded]})
            assert (
                ask(port, {"dataframe_split": {"columns": ["image"], "data": [[file] for file in encoded]}}) == by_file
            )
            assert ask(port, {"instances": encoded}) == by_file
            pixels = test.images[:3].tolist()
            assert ask(port, {"instances": pixels}) == ask(port, {"inputs": pixels})
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(port, {"instances": [[[300]]]})
            assert refused.value.code == 400
            assert "Send pixels in 0..255 of shape (N, 8, 8, 1)" in refused.value.read().decode()
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    classifier = predict.load(Path("multirun/monday/0"))
    for answer, prediction in zip(by_file, predict.predict(classifier, files), strict=True):
        assert answer["class"] == prediction.classes[0][0]
        assert answer["probability"] == pytest.approx(prediction.classes[0][1], abs=1e-5)


def ask(port: str, body: dict) -> list[dict]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)["predictions"]


def wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(log.read_text())
