"""Which terms move which variables where the light net must not move the shared ones."""

import keras
import pytest

from rocket_keras import Pair, Rocket, hints
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


def test_losses_of_the_light_nets_activations_do_not_reach_the_shared_variables(rows):
    def shared(activity):
        keras.utils.set_random_seed(2)
        inputs = keras.Input((5,))
        bottom = keras.layers.Dense(4, name="shared")(inputs)
        light = keras.Model(inputs, keras.layers.Dense(3, activity_regularizer=activity)(bottom))
        pair = Pair(light, keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(4)(bottom))))
        rocket = Rocket(pair, light_to_shared=False)
        rocket.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        rocket.fit(*rows(), shuffle=False, verbose=0)
        kernels = (variables[0] for variables in (pair.shared_variables, pair.light_variables))
        return [keras.ops.convert_to_numpy(kernel.value) for kernel in kernels]

    (without, light), (with_losses, other_light) = shared(None), shared("l1")
    assert (without == with_losses).all()
    assert (light != other_light).any()
