"""Optuna's own plots of a search, in the look of the page: a light and a dark one, and no word twice."""

from __future__ import annotations

import ast
import html
import json
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from optuna.importance import PedAnovaImportanceEvaluator
from optuna.visualization import plot_optimization_history, plot_param_importances, plot_slice

from sweeper import drawing
from sweeper.page.figure import CROSS, Figure, cut, escaped, powers, scatter
from sweeper.page.page import Chart
from sweeper.page.seen import Seen

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

OLD_TO_NEW = [[0, "var(--early)"], [1, "var(--accent)"]]


def history(seen: Seen, place: int) -> Chart:
    """place: of the objective, here and below."""
    name = seen.objectives[place]
    figure = _plain(plot_optimization_history(seen.studies[place], target_name=escaped(name)))
    for trace in figure["data"]:
        trace["x"] = trace["customdata"] = _numbers(seen, trace["x"])
        trace["hovertemplate"] = "trial %{x}: %{y}<extra></extra>"
    finished, best, infeasible = figure["data"]
    finished |= {"name": "finished", "marker": {"size": 6, "color": "var(--accent)"}}
    best |= {"name": "best until then", "line": {"shape": "hv", "color": "var(--best)"}}
    infeasible |= {"name": "misses a constraint", "marker": CROSS, "showlegend": True}
    figure["data"] = [trace for trace in (_pruned(seen, place), infeasible, finished, best) if trace["x"]]
    figure["layout"]["xaxis"] = {"title": {"text": "trial"}}
    return Chart(f"{name} of each trial, and the best until then", figure)


def importances(seen: Seen, place: int) -> Chart:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few trials say little, the section says
        figure = _plain(plot_param_importances(seen.studies[place], PedAnovaImportanceEvaluator(), target_name="share"))
    for bars in figure["data"]:
        bars["marker"] = {"color": "var(--accent)"}
    names = [name for bars in figure["data"] for name in bars["y"]]
    shown = list(map(_short, names))
    figure["layout"] = {
        "xaxis": {"title": {"text": "importance"}, "rangemode": "tozero"},
        "yaxis": {"automargin": True, "tickvals": names, "ticktext": shown},
        "margin": {"l": 48, "r": 48, "t": 28, "b": 44},
    }
    return Chart(f"Importance of each parameter for {seen.objectives[place]}", figure, height=110 + 26 * len(names))


def slices(seen: Seen, place: int) -> list[Chart]:
    """A parameter each."""
    study = seen.studies[place]
    labels = dict.fromkeys(label for trial in study.get_trials(deepcopy=False) for label in trial.params)
    return [_slice(seen, study, label, escaped(seen.objectives[place])) for label in labels]


def _slice(seen: Seen, study: optuna.Study, label: str, target_name: str) -> Chart:
    figure = _plain(plot_slice(study, [label], target_name=target_name))
    feasible = figure["data"][0]
    numbers = _numbers(seen, feasible["marker"]["color"])
    feasible["customdata"] = numbers
    feasible["marker"] = {"color": numbers, "colorscale": OLD_TO_NEW, "size": 6, "showscale": False}
    feasible["hovertemplate"] = "trial %{customdata}<br>%{x}: %{y}<extra></extra>"
    axis = figure["layout"]["xaxis"]
    if axis.get("type") == "log" and feasible["x"]:
        axis |= _ticks(min(feasible["x"]), max(feasible["x"]))
    for side in ("xaxis", "yaxis"):
        figure["layout"][side]["title"]["text"] = _short(figure["layout"][side]["title"]["text"])
    if "categoryarray" in axis:
        choices = _unquoted(axis["categoryarray"])
        axis |= {"categoryarray": choices, "tickvals": choices, "ticktext": list(map(_short, choices))}
        axis["automargin"] = True
        feasible["x"] = _unquoted(feasible["x"])
    infeasible = _infeasible(seen, study, label)
    figure["data"] = ([infeasible] if infeasible["x"] else []) + [feasible]
    return Chart(f"Values by {label}", figure, height=260)


def _ticks(low: float, high: float) -> Figure:
    """Of a logarithmic axis. Plotly has single digits between powers of ten."""
    if drawing.are_wide((low, high)):
        return {"dtick": 1}
    values = powers(low, high)
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values]}


def _infeasible(seen: Seen, study: optuna.Study, label: str) -> Figure:
    """Optuna 5.0 loses those of a categorical parameter."""
    numbered = zip(seen.sweep.trials, study.get_trials(deepcopy=False), strict=True)
    found = [(trial.number, copy) for trial, copy in numbered if trial.missed and label in copy.params]
    x, y, numbers = [copy.params[label] for _, copy in found], [copy.value for _, copy in found], [n for n, _ in found]
    hover = "trial %{customdata} misses a constraint<br>%{x}: %{y}"
    return scatter("misses a constraint", x, y, numbers, hover, marker=CROSS, showlegend=False)


def _pruned(seen: Seen, place: int) -> Figure:
    """Optuna leaves them out."""
    points = {
        trial.number: trial.values[place] for trial in seen.sweep.trials if trial.state == "PRUNED" and trial.values
    }
    x, y = list(points), list(points.values())
    return scatter("pruned, its best until then", x, y, x, "trial %{x}, pruned: %{y}", marker=CROSS)


def _numbers(seen: Seen, places: Iterable[int]) -> list[int]:
    """The trials at these places: Optuna counts from 0 without gaps."""
    return [seen.sweep.trials[place].number for place in places]


def _short(shown: str) -> str:
    """Of what is escaped already."""
    return escaped(cut(html.unescape(shown)))


def _unquoted(choices: Iterable[str]) -> list[str]:
    """Optuna shows texts as Python writes them."""
    return [ast.literal_eval(choice) for choice in choices]


def _plain(figure: go.Figure) -> Figure:
    """Without Plotly's own look, and without a title: the page has both."""
    plain = json.loads(figure.to_json())
    for key in ("template", "title", "width"):
        plain["layout"].pop(key, None)
    return plain
