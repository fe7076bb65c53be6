import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import export_light
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from zoo.ctr import TOWERS, hidden_taps

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_ctr.py")))
FEATURES, rows, pair_of, step = (helpers[name] for name in ("FEATURES", "rows", "pair_of", "step"))
FAMILIES = ("wide_deep", "deepfm", "dcnv2", "din")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_a_light_and_a_booster_net(tmp_path, family):
    pair = pair_of(family)
    x, y = rows()
    start = [keras.ops.convert_to_numpy(v).copy() for v in pair.joint.trainable_variables]
    step(pair, x, y)
    for before, variable in zip(start, pair.joint.trainable_variables, strict=True):
        after = keras.ops.convert_to_numpy(variable)
        assert np.isfinite(after).all(), variable.path
        assert np.abs(after - before).max() > 0, variable.path
    owned = {"shared": pair.shared_variables, "light": pair.light_variables, "booster": pair.booster_variables}
    assert sum(map(len, owned.values())) == len(pair.joint.trainable_variables)
    for owner, variables in owned.items():
        assert variables
        assert all(v.path.startswith(f"{owner}_") for v in variables), owner
    assert not [v.path for v in pair.light.variables if v.path.startswith("booster")]
    before = pair.light.predict(x, verbose=0)
    np.testing.assert_allclose(pair.joint.predict(x, verbose=0)["light"], before, atol=1e-6)
    np.testing.assert_allclose(pair.detach().predict(x, verbose=0), before, atol=1e-6)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    np.testing.assert_allclose(session.run(None, onnx_feed(session, x))[0], before, atol=1e-5)


_LOAD = """
import sys, pathlib, numpy as np, keras, zoo
assert "keras_rs" not in sys.modules
folder = pathlib.Path(sys.argv[1])
x = dict(np.load(folder / "rows.npz"))
for path in folder.glob("*.keras"):
    np.save(path.with_suffix(".npy"), keras.ops.convert_to_numpy(keras.models.load_model(path)(x)))
"""


def test_the_light_nets_load_in_a_process_that_has_imported_the_zoo_alone(tmp_path):
    x, _ = rows()
    rng, before = np.random.default_rng(0), {}
    for family in FAMILIES:
        light = pair_of(family).light
        # Every weight leaves its initial value, which a net that loads nothing would have too.
        light.set_weights([weight + rng.uniform(0.1, 0.3, weight.shape) for weight in light.get_weights()])
        before[family] = keras.ops.convert_to_numpy(light(x))
        light.save(tmp_path / f"{family}.keras")
    np.savez(tmp_path / "rows.npz", **x)
    root = Path(zoo.__file__).parents[1]
    subprocess.run([sys.executable, "-c", _LOAD, str(tmp_path)], check=True, cwd=root)
    for family in FAMILIES:
        np.testing.assert_allclose(np.load(tmp_path / f"{family}.npy"), before[family], atol=1e-5)


@pytest.mark.parametrize("family", sorted(TOWERS))
def test_logits_stay_float32_under_mixed_precision(family):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        pair = pair_of(family)
    finally:
        keras.config.set_dtype_policy(before)
    x, _ = rows()
    outputs = pair.joint(x)
    for head in ("light", "booster"):
        assert keras.backend.standardize_dtype(outputs[head].dtype) == "float32"
    hidden = next(layer for layer in pair.light.layers if "dense0" in layer.name)
    assert hidden.compute_dtype == "bfloat16"


@pytest.mark.parametrize("options", [{"sharing": "none"}, {"share_except": ("item",), "private_dim": 4}])
@pytest.mark.parametrize("family", ["deepfm", "din"])
def test_nets_that_read_single_features_take_every_sharing(family, options):
    pair = pair_of(family, **options)
    x, _ = rows()
    for net in (pair.light, pair.booster):
        logits = keras.ops.convert_to_numpy(net(x))
        assert np.isfinite(logits).all()
        assert np.ptp(logits) > 0


def test_din_may_boost_two_towers():
    pair = pair_of("din", light="two_tower", light_units=(6, 4))
    x, _ = rows()
    for net in (pair.light, pair.booster):
        logits = keras.ops.convert_to_numpy(net(x))
        assert np.isfinite(logits).all()
        assert np.ptp(logits) > 0


@pytest.mark.parametrize(("family", "tap"), [("wide_deep", "dense0"), ("dcnv2", "dense0"), ("din", "dice0")])
def test_hidden_taps_are_the_last_hidden_activations(family, tap):
    pair = pair_of(family, light_units=(4,), booster_units=(4,))
    assert hidden_taps(pair) == ((f"light_{tap}", f"booster_{tap}"),)


@pytest.mark.parametrize("family", ["wide_deep", "dcnv2", "din"])
def test_nets_that_may_have_two_logits_have_two(family):
    assert pair_of(family, logits=2).light.output.shape == (None, 2)


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("deepfm", {"logits": 2}, "expected 1 logit of the DeepFM light net, received 2"),
        ("deepfm", {"features": FEATURES[4:]}, r"two features of ids of one `dim` .* received the widths \[2\]"),
        ("deepfm", {"bottom_units": (4,)}, "leave `bottom_units` out"),
        ("din", {"features": FEATURES[2:]}, r"a `History` among the features of the DIN light net, received \['item'"),
        ("din", {"bottom_units": (4,)}, "leave `bottom_units` out"),
    ],
)
def test_what_a_family_cannot_do_is_named_in_one_line(family, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        pair_of(family, **options)
    assert "\n" not in str(caught.value)


def test_dcnv2_without_keras_rs_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_rs", None)
    with pytest.raises(ImportError, match=r"pip install 'rocket-keras\[launch\]'"):
        pair_of("dcnv2")
