import keras_tuner
import pytest

import zoo
from zoo.entries import ENTRIES

FEATURES = (zoo.Categorical("user", 9, 4, side="user"), zoo.Categorical("item", 7, 4, side="item"), zoo.Numeric("age"))


def point(builder, **values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return builder(hp), hp


def widths(model):
    return [layer.units for layer in model.layers if type(layer).__name__ == "Dense"]


def test_depth_and_widths_of_the_light_net_are_the_hyperparameters():
    builder = zoo.ctr_pair_builder(FEATURES, depths=(1, 2), units=(8, 16), booster_units=(32,))
    pair, hp = point(builder, light_depth=2, light_units_0=16, light_units_1=8)
    assert widths(pair.light) == [16, 8, 1]
    assert widths(pair.booster) == [32, 1]
    assert [p.name for p in hp.space] == ["light_depth", "light_units_0", "light_units_1"]
    pair, hp = point(builder, light_depth=1, light_units_0=16)
    assert widths(pair.light) == [16, 1]


def test_the_whole_space_is_known_to_keras_tuner(tmp_path):
    builder = zoo.ctr_pair_builder(FEATURES, depths=(1, 2, 3), units=(8, 16), booster_units=(32,))
    import tuning

    gate = tuning.Gate(tuning.LightHyperModel(builder), None)
    oracle = tuning.RandomOracle(gate, objective=keras_tuner.Objective("val_light_auc", "max"), max_trials=2)
    tuning.LatencyTuner(oracle, gate.hypermodel, _training(), directory=str(tmp_path), project_name="trials")
    names = [parameter.name for parameter in oracle.hyperparameters.space]
    assert sorted(names) == ["light_depth", "light_units_0", "light_units_1", "light_units_2"]
    from tuning.space import all_values

    assert len(all_values(oracle.hyperparameters.space)) == 2 + 4 + 8


def _training():
    import tuning

    return tuning.Training(epochs=1, batch_size=8, optimizer=lambda steps: None, metric="auc")


def test_embeddings_shared_layers_and_private_embeddings_are_offered_where_asked():
    builder = zoo.ctr_pair_builder(
        FEATURES, (1,), (8,), embedding_dims=(2, 6), shared_depths=(0, 1), shared_units=12, private_dims=(0, 2),
        booster_units=(32,),
    )  # fmt: skip
    pair, hp = point(builder, embedding_dim=6, shared_depth=1, private_dim=2)
    assert sorted(p.name for p in hp.space) == ["embedding_dim", "private_dim", "shared_depth"]
    assert widths(pair.light) == [12, 8, 1]
    private = [layer for layer in pair.light.layers if "private" in layer.name and layer.weights]
    assert {weight.shape[-1] for layer in private for weight in layer.weights} == {2}
    narrow, _ = point(builder, embedding_dim=2, shared_depth=0, private_dim=0)
    assert widths(narrow.light) == [8, 1]
    assert narrow.light.count_params() < pair.light.count_params()


def test_a_wide_resnets_depth_and_sharing():
    builder = zoo.wide_resnet_pair_builder(
        (10, 16), ("interval", "none"), booster_depth=22, input_shape=(8, 8, 1), num_classes=3
    )
    pair, hp = point(builder, light_depth=16, sharing="none")
    assert [p.name for p in hp.space] == ["sharing", "light_depth"]
    assert pair.shared_variables == []
    assert point(builder, light_depth=10, sharing="interval")[0].shared_variables


@pytest.mark.parametrize("offered", [{"depths": ()}, {"units": (0, 8)}, {"embedding_dims": (0,)}])
def test_an_empty_or_impossible_offer_is_refused(offered):
    with pytest.raises(ValueError, match="with at least one number, all above 0"):
        zoo.ctr_pair_builder(FEATURES, **offered)


def test_entries_without_a_space_say_so():
    entry = next(entry for entry in ENTRIES if entry.space is None)
    with pytest.raises(ValueError, match=r"received .*; give tuning.search a builder of your own"):
        entry.builder(None)
