"""The best network in MLflow: it loads without us, computes the same, and its run looks as before."""

from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest

from sweeper import app
from sweeper.files.card import Card
from sweeper.records import journal, record
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.tracking import store
from sweeper.tracking.model_log import log_best


@pytest.fixture
def logged(tmp_path, monkeypatch):
    """(client, run before logging, model's URI, network)"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.resolve("sqlite:///mlflow.db"))
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    network.save("model.keras")
    Card("custom", "digits", ("a", "b", "c"), (4, 4, 1), (127.0,), (60.0,), "val_accuracy", 0.9, 51).write(tmp_path)
    client, experiment_id = store.connect(store.resolve(None), "custom-digits")
    run = client.create_run(experiment_id, start_time=1000)
    client.set_terminated(run.info.run_id, "FINISHED", end_time=9000)
    yield client, client.get_run(run.info.run_id), log_best(run.info.run_id, store.resolve(None), tmp_path), network
    mlflow.set_tracking_uri(None)


def test_the_logged_network_scales_images_itself_and_its_run_stays_as_it_was(logged):
    client, run, uri, network = logged
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    expected = network.predict((images - np.float32(127)) / np.float32(60), verbose=0)
    answers = mlflow.pyfunc.load_model(uri).predict(images)
    np.testing.assert_allclose([list(answer["probabilities"].values()) for answer in answers], expected, atol=1e-6)
    assert [answer["class"] for answer in answers] == ["abc"[number] for number in expected.argmax(axis=1)]

    after = client.get_run(run.info.run_id)
    assert (after.info.status, after.info.end_time) == ("FINISHED", 9000)
    assert [model.model_id for model in after.outputs.model_outputs] == [uri.rpartition("/")[2]]
    assert client.get_logged_model(uri.rpartition("/")[2]).experiment_id == run.info.experiment_id
    info = mlflow.models.get_model_info(uri)
    assert info.metadata["classes"] == ["a", "b", "c"]
    with pytest.raises(mlflow.MlflowException, match=r"shape \(N, 4, 4, 1\)"):
        mlflow.pyfunc.load_model(uri).predict(images[:, :2])


def test_a_replay_logs_the_best_network_that_mlflow_missed_and_only_once(logged, capsys):
    sweep = Path("sweep")
    file = journal.Journal(sweep)
    file.write(SweepStarted("sweep", "app.py -m", "val_accuracy", ("maximize",), 1, None, 1.0, {"dataset": "digits"}))
    file.write(TrialStarted(0, 0, {"hparams.lr": 0.1}, "app.py", "0", 2.0))
    file.write(TrialEnded(0, "FINISHED", (0.9,), None, {}, 3.0))
    file.write(SweepEnded("FINISHED", None, 0, 4.0))
    file.close()
    (sweep / "0").mkdir()
    for name in ("model.keras", "model.yaml"):
        Path(name).rename(sweep / "0" / name)
    assert app._command("replay", ["sweep"]) == 0
    assert "2 of them new, 0 completed, and the best network" in capsys.readouterr().out
    client = logged[0]
    run = client.get_run(record.run_ids(sweep)[0])
    assert run.info.status == "FINISHED"
    (model,) = run.outputs.model_outputs
    assert app._command("replay", ["sweep"]) == 0
    assert "nothing was added" in capsys.readouterr().out
    assert client.get_run(run.info.run_id).outputs.model_outputs == [model]
