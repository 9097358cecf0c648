import pytest

from sweeper.errors import ConfigError
from sweeper.ranking import axes, units
from sweeper.records import record
from sweeper.sail.descriptor import Descriptor

from .test_atlas import sized

CONFIG = """
hydra:
  sweeper:
    sampler:
      _target_: {target}
      seed: ${{oc.select:seed,null}}
      descriptors: {descriptors}
"""
OWN = "{latency_ms: {low: 0.1, high: 10, bins: 3}, parameters: {low: 1e3, high: 1e7, bins: 6, log: true}}"
PARAMETERS = Descriptor("parameters", 1e3, 1e7, 6, True)


@pytest.fixture
def recorded(write_sweep):
    """A sweep of 10 trials, with what Hydra would have left of its sampler."""

    def write(descriptors, target="sweeper.sail.sampler.SAILSampler"):
        folder = write_sweep("monday", ("FAILED",))
        sized(folder, 10)
        path = folder / "0" / record.HYDRA
        path.parent.mkdir(parents=True)
        path.write_text(CONFIG.format(target=target, descriptors=descriptors))
        return record.read(folder)

    return write


def test_a_map_has_the_axes_that_its_sampler_filled(recorded):
    sweep = recorded("{parameters: {low: 1e3, high: 1e7, bins: 6, log: true}, mflops: {low: 0.5, high: 90}}")
    assert axes.of(sweep) == [PARAMETERS, Descriptor("mflops", 0.5, 90, 10, False)]
    assert [axis.bins for axis in axes.of(sweep, bins=3)] == [3, 3]
    assert axes.of(sweep, ["epochs", "parameters"]) == [axes.spanning(sweep, "epochs", axes.BINS), PARAMETERS]


@pytest.mark.parametrize(
    ("descriptors", "target"),
    [
        (OWN, "optuna.samplers.TPESampler"),
        ("{parameters: {low: 5, high: 1, bins: 6}}", "sweeper.sail.sampler.SAILSampler"),
        ("{parameters: {low: ${oc.env:HOME}, high: 1}}", "sweeper.sail.sampler.SAILSampler"),
        ("{parameters: {low: 1, high: 2, bins: 1000000}}", "sweeper.sail.sampler.SAILSampler"),
        ("[parameters]", "sweeper.sail.sampler.SAILSampler"),
        ("{ - ", "sweeper.sail.sampler.SAILSampler"),
    ],
)
def test_of_another_sampler_or_of_what_makes_no_sense_it_has_those_of_what_networks_cost(descriptors, target, recorded):
    sweep = recorded(descriptors, target)
    assert axes.recorded(sweep) == {}
    assert axes.of(sweep) == [axes.spanning(sweep, name, axes.BINS) for name in axes.NAMES]


def test_axes_that_all_trials_lie_beyond_span_what_they_tell(recorded):
    sweep = recorded("{parameters: {low: 1, high: 2}, mflops: {low: 1e-3, high: 1e6}}")
    assert axes.of(sweep) == [axes.spanning(sweep, name, axes.BINS) for name in ("parameters", "mflops")]
    assert axes.of(sweep, ["mflops"]) == [Descriptor("mflops", 1e-3, 1e6)]


@pytest.mark.parametrize("bins", [0, 51])
def test_bins_are_as_many_as_can_be_drawn(bins, recorded):
    with pytest.raises(ConfigError, match=f"--bins {bins}: give a number from 1 to 50"):
        axes.of(recorded(OWN), bins=bins)


@pytest.mark.parametrize(
    ("fact", "title"),
    [
        ("parameters", "parameters"),
        ("mflops", "mflops (millions an image)"),
        ("latency_ms", "latency_ms (an image)"),
        ("onnx_latency_ms", "onnx_latency_ms (an image)"),
        ("tflite_int8_kb", "tflite_int8_kb"),
    ],
)
def test_a_fact_is_titled_with_its_unit(fact, title):
    assert units.titled(fact) == title
