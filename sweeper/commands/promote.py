"""`python -m sweeper promote`: a trial's network as a version of a model in MLflow's registry, ready to be served."""

from __future__ import annotations

import os
import re
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.commands.export import check_kept, load
from sweeper.errors import ConfigError, DataError
from sweeper.files import card
from sweeper.records import record, sweeps
from sweeper.records.record import Trial
from sweeper.secret import without_credentials
from sweeper.tracking import model_log, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PORT = 5001  # `mlflow ui` has 5000
_ALIAS = re.compile(r"(?!latest$|v\d+$)[\w-]{1,255}", re.IGNORECASE)  # as MLflow wants it, which looks only at the end


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Registers a trained network in the MLflow that has its run. The model takes images, pixels in 0..255 or files "
        "in base64, scales them as in training, and answers with class names and probabilities."
    )
    sweeps.add_trial(parser)
    parser.add_argument("--name", metavar="NAME", required=True, help="of the registered model")
    parser.add_argument("--alias", metavar="ALIAS", help="moves to this version: models:/NAME@ALIAS")
    parser.add_argument("--again", action="store_true", help="a new version, although there is one of this trial")


def run(args: Namespace) -> int:
    """Raises: ConfigError if the trial has no network or no run, MLflow is away, or refuses a name; DataError if the
    network is damaged."""
    trial = sweeps.find_trial(args.run, args.sweep)
    check_kept(trial)
    sweep = sweeps.owner(trial)
    replay = f"python -m sweeper replay {sweeps.name(sweep)}"
    if trial.run_id is None:
        raise ConfigError(f"MLflow has no run of trial {trial.number}. To write it there: {replay}")
    if args.alias is not None and not _ALIAS.fullmatch(args.alias):
        raise ConfigError(f"--alias {args.alias}: give letters, digits, - and _, but neither latest nor v1.")
    uri = store.resolve(store.remembered(sweep).get("uri"))
    from mlflow.exceptions import MlflowException

    try:
        version, is_new = promote(trial, sweep, uri, args.name, args.alias, args.again)
    except (MlflowException, OSError) as error:
        where, why = f"MLflow at {without_credentials(uri)}", store.describe(error)
        if store.is_temporary(error):
            raise ConfigError(f"{where} cannot be reached: {why}\nStart it, or set MLFLOW_TRACKING_URI.") from error
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ConfigError(f"{where} lacks run {trial.run_id}: {why}\nTo write it there: {replay}") from error
        raise ConfigError(f"{where} does not take --name {args.name}: {why}\nGive another one.") from error
    print(_told(version, is_new, args.alias, uri))
    return 0


def promote(
    trial: Trial, sweep: Path, uri: str, name: str, alias: str | None = None, again: bool = False
) -> tuple[ModelVersion, bool]:
    """The version of this trial, and whether it is new: one that the trial has already stays, unless `again`.

    sweep: the folder of the trial's.
    Raises: MlflowException or OSError as the store does, DataError if the network cannot be served.
    """
    client = store.existing(uri)
    client.get_run(trial.run_id)  # before anything is written
    known = _versions(client, name, trial.run_id)
    is_new = again or not known
    if is_new:
        _check_network(trial)
    version = _register(client, trial, sweep, uri, name) if is_new else known[-1]
    if alias:
        client.set_registered_model_alias(name, alias, version.version)
    return version, is_new


def _check_network(trial: Trial) -> None:
    """Raises: DataError if it cannot be loaded, or is none of the model.yaml beside it."""
    network, described = load(trial.model), card.read(trial.folder)
    wanted = (None, *described.input_shape), (None, len(described.classes))
    found = network.input_shape, network.output_shape
    if found != wanted:
        raise DataError(
            f"{trial.model} takes {found[0]} and answers {found[1]}, but {card.NAME} beside it tells of "
            f"{wanted[0]} and {wanted[1]}. They belong to two trainings: train it again: {trial.command}"
        )


def _versions(client: MlflowClient, name: str, run_id: str) -> list[ModelVersion]:
    """Of this run, the oldest first."""
    found = client.search_model_versions(f"run_id = '{run_id}'")  # MLflow has no way to quote any name
    return sorted((version for version in found if version.name == name), key=lambda version: int(version.version))


def _register(client: MlflowClient, trial: Trial, sweep: Path, uri: str, name: str) -> ModelVersion:
    import mlflow
    from mlflow.exceptions import MlflowException

    made = True
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        made = False
    try:
        model_id = model_log.servable(client, trial.run_id, uri, trial.folder)
    except DataError:
        if made:
            client.delete_registered_model(name)
        raise
    described = card.read(trial.folder)
    tags = {
        "sweeper.trial": f"{record.id_of(sweep)}/{trial.number}",
        "sweeper.sweep": record.id_of(sweep),
        "sweeper.metric": described.metric,
        "sweeper.value": repr(described.value),
        "sweeper.command": trial.command,
    }
    mlflow.set_tracking_uri(uri)  # where an sqlite registry looks for the model, whatever its client's own is
    source = f"models:/{model_id}"
    return client.create_model_version(name, source, trial.run_id, tags=tags, model_id=model_id, await_creation_for=0)


def _told(version: ModelVersion, is_new: bool, alias: str | None, uri: str) -> str:
    """With the commands that serve it and ask it."""
    model = f"models:/{version.name}@{alias}" if alias else f"models:/{version.name}/{version.version}"
    is_default = uri == store.absolute(store.DEFAULT) or os.environ.get("MLFLOW_TRACKING_URI")
    variable = "" if is_default else f"MLFLOW_TRACKING_URI={shlex.quote(without_credentials(uri))} "
    already = "" if is_new else " already; --again makes another one"
    body = """'{"dataframe_records": [{"image": "'$(base64 -w0 IMAGE)'"}]}'"""
    return (
        f"Trial {version.tags.get('sweeper.trial')} is version {version.version} of {version.name}{already}: {model} "
        f"in MLflow at {without_credentials(uri)}\nNext:\n"
        f"  {variable}mlflow models serve -m {shlex.quote(model)} --env-manager local --port {PORT}\n"
        f"  echo {body} | curl -d @- -H 'Content-Type: application/json' http://127.0.0.1:{PORT}/invocations"
    )
