import pytest

from sweeper.config.compose import composed
from sweeper.errors import ConfigError
from sweeper.training import instances


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        ("subclassed", r"returned a Subclassed, .* Return keras.Model\(inputs, outputs\)"),
        ("partial_function", r"returned a network that Keras cannot save: .*partial.* functions with a name"),
        ("applied_function", r"returned a network that Keras cannot save: .*Applied.* own layers a get_config"),
    ],
)
def test_a_network_that_could_not_be_traced_or_saved_is_refused_before_it_is_trained(network, complaint, own_networks):
    cfg = composed(["dataset=digits", *own_networks(network)])
    with pytest.raises(ConfigError, match=f"own_networks.{network} {complaint}"):
        instances.network(cfg, (8, 8, 1), 10)
