"""Which terms move which variables where the light net must not move the shared ones."""

import keras
import pytest

from rocket_keras import Rocket, hints
from rocket_keras.routes import routes


def names(route):
    return route.terms, {variable.path.split("/")[0] for variable in route.variables}


@pytest.mark.parametrize("block", [True, False])
def test_shared_variables_see_the_boosters_labels_alone(make_pair, block):
    booster = {"booster_hidden", "booster_logits"}
    expected = (
        [(("booster",), {"shared"} | booster)]
        if block
        else [(("booster",), {"shared"}), (("booster", "hint"), booster)]
    )
    expected.append((("light", "hint"), {"light_logits"}))
    assert [names(route) for route in routes(make_pair(), block)] == expected


def test_a_hints_own_variables_go_with_the_light_net(make_pair):
    pair = make_pair().with_taps(["light_logits", "booster_hidden"])
    hint = hints.FeatureHint("light_logits", "booster_hidden")
    rocket = Rocket(pair, hint, light_to_shared=False)
    terms, variables = rocket.routes()[-1]
    assert terms == ("light", "hint")
    found = {id(v) for v in variables}
    assert found == {id(v) for v in [*pair.light_variables, *hint.trainable_variables]}
    assert len(hint.trainable_variables) == 2


def test_layers_that_lead_to_a_tap_alone_go_with_the_light_net(make_pair):
    pair = make_pair()
    adapter = keras.layers.Dense(4, name="adapter")
    tapped = pair.with_taps({"adapted": adapter(pair.light.get_layer("shared").output)})
    assert [v.path for v in tapped.tap_variables] == ["adapter/kernel", "adapter/bias"]
    (*_, light) = Rocket(tapped, light_to_shared=False).routes()
    assert {"adapter/kernel", "adapter/bias", "light_logits/kernel"} <= {v.path for v in light.variables}
