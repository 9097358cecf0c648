"""A trial's trained network in MLflow, as `mlflow.pyfunc.load_model` and `mlflow models serve` take it: images in."""

from __future__ import annotations

import base64
import importlib
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper import text
from sweeper.errors import DataError
from sweeper.files import card
from sweeper.records import plain, record

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

    from sweeper.files.card import Card

SERVABLE = "sweeper.servable"  # a tag of the models below; those of earlier versions of ours took z-scored arrays
IMAGE = "image"  # the name of the input
_PROGRAM = Path(__file__).with_name("served.py")
_PACKAGES = ("keras", "tensorflow", "numpy", "opencv-python-headless", "mlflow")


def prepare() -> None:
    """Imports what a sweep's end needs, where TensorFlow is loaded, while other trials run: it takes seconds."""
    if "keras" in sys.modules:
        importlib.import_module("matplotlib.pyplot")
        importlib.import_module("mlflow.pyfunc")


def servable(client: MlflowClient, run_id: str, uri: str, folder: Path) -> str:
    """The ID of the trial's model, logged now if a sweep's end has not done so. It answers its own example.

    Raises: DataError if what is logged now does not; then it is deleted again.
    """
    described = card.read(folder)
    for output in client.get_run(run_id).outputs.model_outputs:
        model = client.get_logged_model(output.model_id)
        whole = SERVABLE in model.tags and model.status == "READY"  # not one whose upload was broken off
        if whole and not _trouble(output.model_id, uri, described):
            return output.model_id
    model_id = log_best(run_id, uri, folder).rpartition("/")[2]
    trouble = _trouble(model_id, uri, described)
    if trouble:
        client.delete_logged_model(model_id)
        raise DataError(f"The network in {folder} cannot be served: {trouble}\nTrain it again.")
    return model_id


def _trouble(model_id: str, uri: str, described: Card) -> str | None:
    """Why the model, as MLflow has it, does not answer an image with the classes of the data set, if so."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        (answer,) = mlflow.pyfunc.load_model(f"models:/{model_id}").predict(_example(described))
        told = tuple(answer["probabilities"])
    except Exception as error:  # MLflow's, those of the program, of Keras and of TensorFlow
        return text.first_line(text.error(error))
    return None if told == described.classes else f"it answers with {len(told)} classes of {len(described.classes)}"


def log_best(run_id: str, uri: str, folder: Path) -> str:
    """Logs `folder/model.keras` to the trial's run, whose status stays as it is; `folder/model.yaml` is its metadata.

    For a process that has TensorFlow loaded: MLflow tries the model. Returns its URI, for instance models:/m-1f0e…
    """
    import mlflow
    from mlflow.models import Model

    described = card.read(folder)
    mlflow.set_tracking_uri(uri)  # Model.log takes it from there only, and the experiment too
    mlflow.set_experiment(experiment_id=mlflow.get_run(run_id).info.experiment_id)
    logged = Model.log(
        flavor=mlflow.pyfunc,
        artifact_path=None,  # its old name
        name="model",
        run_id=run_id,  # mlflow.pyfunc.log_model would start the run again and end it now
        tags={SERVABLE: "true"},
        python_model=str(_PROGRAM),
        artifacts={"network": str(folder / record.MODEL), "card": str(folder / card.NAME)},
        signature=_signature(),
        input_example=_example(described),
        pip_requirements=[f"{package}=={version(package)}" for package in _PACKAGES],  # to infer them takes 11 s
        metadata=plain.read(folder / card.NAME, "Train it again."),
    )
    return logged.model_uri


def _signature() -> ModelSignature:
    """MLflow has no type for `pixels, or a file`: an object, which the program itself checks."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Map

    answer = [
        ColSpec(DataType.string, "class"),
        ColSpec(DataType.double, "probability"),
        ColSpec(Map(DataType.double), "probabilities"),
    ]
    return ModelSignature(Schema([TensorSpec(np.dtype(object), (-1,), IMAGE)]), Schema(answer))


def _example(described: Card) -> pandas.DataFrame | np.ndarray:
    """An image file of the data set's mean colour, as a client would send it."""
    import cv2
    import numpy as np
    import pandas as pd

    mean = np.full(described.input_shape, np.round(described.mean), np.uint8)
    if described.input_shape[2] not in (1, 3):  # files are gray or RGB: such a network takes arrays only
        return mean[np.newaxis]
    _, png = cv2.imencode(".png", mean[..., ::-1])  # OpenCV writes BGR
    return pd.DataFrame({IMAGE: [base64.b64encode(png.tobytes()).decode()]})
