import numpy as np
import pytest

from sweeper.errors import ConfigError
from sweeper.sail import descriptor
from sweeper.sail.descriptor import Descriptor

SIZE = Descriptor("parameters", 1e3, 1e6, bins=3, log=True)
TIME = Descriptor("latency", 0, 10, bins=5)


def test_bins_of_a_logarithmic_axis_are_equally_wide_in_log_space():
    np.testing.assert_allclose(SIZE.edges(), [1e3, 1e4, 1e5, 1e6])
    np.testing.assert_allclose(SIZE.scaled([1e3, 1e4, 1e6]), [0, 1 / 3, 1])
    np.testing.assert_allclose(SIZE.unscaled(SIZE.scaled([2e3, 5e5])), [2e3, 5e5])


@pytest.mark.parametrize(
    ("size", "time", "cell"),
    [(2e3, 1, 0), (2e3, 9, 4), (2e4, 0, 5), (1e6, 10, 14), (1e3, 0, 0), (999, 5, -1), (2e3, 10.1, -1), (np.nan, 1, -1)],
)
def test_a_cell_is_the_bins_of_all_axes(size, time, cell):
    scaled = np.stack([SIZE.scaled([size]), TIME.scaled([time])], axis=1)
    assert descriptor.cells([SIZE, TIME], scaled).tolist() == [cell]


@pytest.mark.parametrize(
    "axis", [{"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 0, "high": 1, "bins": 0}]
)
def test_an_axis_without_extent_is_refused(axis):
    with pytest.raises(ConfigError, match="descriptor size"):
        Descriptor("size", **axis)


RANGES = {"parameters": {"low": 1e3, "high": 1e6, "log": True}, "mflops": {"low": 0, "high": 10, "bins": 5}}


def test_axes_are_chosen_by_name_in_their_order():
    assert [axis.name for axis in descriptor.chosen(RANGES, None, {})] == ["parameters", "mflops"]
    mflops, parameters = descriptor.chosen(RANGES, ["mflops", "parameters"], {"mflops": len})
    assert (mflops.bins, mflops.fn, parameters.high, parameters.fn) == (5, len, 1e6, None)


@pytest.mark.parametrize(
    ("ranges", "axes", "told"),
    [
        (RANGES, "parameters", r"axes=parameters: give a list, \[parameters\]"),
        ({"parameters": {"low": 1, "high": 2, "bins": 2.5}}, None, "2.5 bins"),
        ({"parameters": {"low": 1, "high": float("inf")}}, None, "ends that are numbers"),
        (RANGES, [], r"sampler\.axes=\[parameters,mflops\]"),
        (RANGES, ["onnx_kb"], r"no range of onnx_kb, only of parameters, mflops\. Give it one: .*descriptors\.onnx_kb"),
        ({"parameters": {"low": 1}}, None, r"descriptors\.parameters: .*'high'\. Give"),
        ({"parameters": {"low": 1, "high": 2, "width": 3}}, None, r"descriptors\.parameters: .*'width'\. Give"),
        ({"parameters": {"low": "few", "high": 2}}, None, r"descriptors\.parameters: "),
    ],
)
def test_axes_that_cannot_be_are_refused(ranges, axes, told):
    with pytest.raises(ConfigError, match=told):
        descriptor.chosen(ranges, axes, {})


def test_the_ends_of_an_axis_are_in_its_outer_bins():
    """Also where a trial is the end of a logarithmic one."""
    for number in range(1, 300):
        axis = Descriptor("parameters", 7.0 * number, 1234.5 * number + 1 / number, 8, log=True)
        ends = axis.scaled(np.array([[axis.low], [axis.high]]))
        assert descriptor.cells([axis], ends).tolist() == [0, 7]
        assert axis.edges()[[0, -1]].tolist() == [axis.low, axis.high]
