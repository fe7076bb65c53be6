"""What a net computes of a candidate alone is computed once, and changes no score."""

import numpy as np
import onnx
import pytest

import zoo
from rocket_keras import RequestError, Scorer, export_light
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.onnx_graph import sides
from rocket_keras.onnx_runtime import onnx_run, onnx_session
from rocket_keras.serving import memory
from rocket_keras.serving.ahead import Ahead
from rocket_keras.serving.fastest import medians_ms

pytest.importorskip("onnxruntime")
TOWERS = ("mlp", "mlp_ensemble", "two_tower", "wide_deep", "deepfm", "dcnv2")


def requests_of(light, count=30, seed=0):
    """Inputs of a request: rows of the user, all alike, and of the candidates."""
    x = light.FAMILY["rows"](light.BATCH)[0]
    rng = np.random.default_rng(seed)
    rows = {name: column[rng.integers(len(column), size=count)] for name, column in x.items()}
    return rows | {name: np.repeat(rows[name][:1], count, axis=0) for name in light.USER_INPUTS}


def export(light, path, tower, once):
    return export_light(
        light.light_net(tower=tower),
        path,
        light.FAMILY["rows"](light.BATCH)[0],
        light.ENCODER,
        light.USER_INPUTS * once,
    )


@pytest.mark.parametrize("once", [False, True], ids=["rows", "request"])
@pytest.mark.parametrize("tower", TOWERS)
def test_the_net_in_three_says_what_it_says_as_a_whole(light, tmp_path, monkeypatch, tower, once):
    monkeypatch.setattr(sides, "WORTH_IT", 1)
    path = export(light, tmp_path / "light.onnx", tower, once)
    whole, rows = onnx_session(path), requests_of(light)
    mine = rows.keys() - set(light.USER_INPUTS)
    ahead = Ahead.of(onnx.load(path), mine)
    users = {name: rows[name][:1] for name in light.USER_INPUTS}
    made = ahead.candidates({name: rows[name] for name in mine})
    assert {len(column) for column in made.values()} == {30}
    wanted = onnx_run(whole, {**rows, **users})
    assert len(np.unique(wanted.round(5))) > 10
    np.testing.assert_allclose(ahead.logits(made, users), wanted, rtol=1e-5, atol=1e-6)
    other = requests_of(light, seed=1)
    others = {name: other[name][:1] for name in light.USER_INPUTS}
    found = ahead.logits({name: column[5:9] for name, column in made.items()}, others)
    np.testing.assert_allclose(
        found, onnx_run(whole, {name: column[5:9] for name, column in rows.items()} | others), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("tower", TOWERS)
def test_the_users_inputs_may_have_one_row_or_all(light, tmp_path, monkeypatch, tower):
    monkeypatch.setattr(sides, "WORTH_IT", 1)
    session, rows = onnx_session(export(light, tmp_path / "light.onnx", tower, False)), requests_of(light)
    assert {value.name for value in session.get_inputs() if value.shape[0] == "user_batch"} == set(light.USER_INPUTS)
    one = onnx_run(session, {**rows, **{name: rows[name][:1] for name in light.USER_INPUTS}})
    np.testing.assert_allclose(onnx_run(session, rows), one, rtol=1e-5, atol=1e-6)


def test_attention_to_a_users_history_is_computed_whole(light, tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "WORTH_IT", 1)
    scorer, rows = Scorer(export(light, tmp_path / "light.onnx", "din", True)), light.candidates(9)
    assert scorer._ahead is None
    assert len(np.unique(scorer.score(light.USER, rows).round(5))) > 3


def wide_net(path, light_units=(64, 8)):
    """Export a net whose candidates' part of the first layer has 48 times its width of multiply-adds; the path."""
    sides_of = {"user_0": "user", "ad_0": "item", "ad_1": "item", "ad_2": "item"}
    values = tuple("abcdefgh")
    features = [zoo.Categorical(name, 9, 16, side) for name, side in sides_of.items()]
    net = zoo.ctr_pair(features, light_units=light_units, booster_units=(8,)).light
    return export_light(net, path, encoder=Encoder(tuple(IdField(n, n, values, side=s) for n, s in sides_of.items())))


@pytest.mark.parametrize(("width", "worth_it"), [(64, False), (128, True)])
def test_a_net_is_cut_where_that_is_worth_it(tmp_path, width, worth_it):
    assert (48 * width >= sides.WORTH_IT) == worth_it
    path = wide_net(tmp_path / "light.onnx", (width, 8))
    batches = {value.name: value.shape[0] for value in onnx_session(path).get_inputs()}
    assert batches["user_0"] == ("user_batch" if worth_it else "batch")
    assert {batches[f"ad_{i}"] for i in range(3)} == {"batch"}
    scorer = Scorer(path)
    assert (scorer._ahead is not None) == worth_it


def test_a_candidate_is_computed_when_it_is_met_first_and_not_again(tmp_path, monkeypatch):
    scorer = Scorer(wide_net(tmp_path / "light.onnx", (128, 8)))
    computed = []
    candidates = Ahead.candidates
    monkeypatch.setattr(Ahead, "candidates", lambda self, rows: computed.append(rows) or candidates(self, rows))
    ads = [{f"ad_{i}": "abcdefgh"[(place + i) % 8] for i in range(3)} for place in range(8)]
    first = scorer.score({"user_0": "a"}, ads)
    assert len(computed) == 1
    np.testing.assert_array_equal(scorer.score({"user_0": "a"}, ads), first)
    np.testing.assert_array_equal(scorer.score({"user_0": "a"}, ads[3:5]), first[3:5])
    assert len(computed) == 1
    assert np.abs(scorer.score({"user_0": "b"}, ads) - first).max() > 1e-6


def test_what_is_remembered_is_bounded_in_bytes(tmp_path, monkeypatch):
    scorer = Scorer(wide_net(tmp_path / "light.onnx", (128, 8)))
    monkeypatch.setattr(memory, "REMEMBERED_BYTES", 10 * 128 * 4)
    wanted = {}
    for place in range(40):
        ad = {f"ad_{i}": "abcdefgh"[place * (i + 1) % 8] for i in range(3)} | {"ad_2": str(place)}
        wanted[place] = ad, scorer.score({"user_0": "a"}, [ad])
        (known,) = (one._known for one in scorer._memories.values())
        assert 0 < len(known.places) <= 10
    for ad, scores in wanted.values():
        np.testing.assert_allclose(scorer.score({"user_0": "a"}, [ad]), scores, atol=1e-7)


def test_a_table_that_both_sides_look_up_is_in_memory_once(tmp_path):
    ahead = Scorer(wide_net(tmp_path / "light.onnx", (128, 8)))._ahead
    assert [value.shape() for value in ahead._shared.values()] == [[36, 16]]


def test_files_are_timed_as_a_scorer_runs_them(tmp_path, monkeypatch):
    path, asked = wide_net(tmp_path / "light.onnx", (128, 8)), []
    rows = {name: np.arange(8, dtype="int32") for name in ("user_0", "ad_0", "ad_1", "ad_2")}
    logits = Ahead.logits
    monkeypatch.setattr(Ahead, "logits", lambda self, *parts: asked.append(logits(self, *parts)) or asked[-1])
    (median,) = medians_ms([path], rows, rounds=10)
    assert median > 0
    assert len(asked) == 11
    wanted = onnx_run(onnx_session(path), {**rows, "user_0": rows["user_0"][:1]})
    np.testing.assert_allclose(asked[0], wanted, rtol=1e-5, atol=1e-6)


def test_candidates_that_a_net_has_computed_are_its_own(light, tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "WORTH_IT", 1)
    light.write(tmp_path / "one.onnx", seed=1)
    light.write(tmp_path / "other.onnx", seed=2)
    ads = Scorer(tmp_path / "one.onnx").read(light.candidates(3))
    with pytest.raises(RequestError, match="received those of another net; read them again"):
        Scorer(tmp_path / "other.onnx").score(light.USER, ads)


def test_inputs_of_candidates_are_those_of_every_net_with_that_preprocessing(light, tmp_path):
    light.write(tmp_path / "one.onnx", seed=1)
    light.write(tmp_path / "other.onnx", seed=2)
    rows, other = light.candidates(3), Scorer(tmp_path / "other.onnx")
    ads = Scorer(tmp_path / "one.onnx").read(rows)
    np.testing.assert_array_equal(other.score(light.USER, ads), other.score(light.USER, rows))


def test_an_operator_that_is_not_known_to_keep_rows_apart_is_not_computed_ahead():
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    kernel = onnx.numpy_helper.from_array(np.ones((64, 64), "float32"), "kernel")

    def model_of(op):
        nodes = [
            helper.make_node(op, ["ad"], ["made"]),
            helper.make_node("MatMul", ["made", "kernel"], ["product"]),
            helper.make_node("Add", ["product", "user"], ["logits"]),
        ]
        inputs = [helper.make_tensor_value_info(name, floats, ["n", 64]) for name in ("ad", "user")]
        output = helper.make_tensor_value_info("logits", floats, ["n", 64])
        return helper.make_model(helper.make_graph(nodes, "net", inputs, [output], [kernel]))

    assert sides.split_by_side(model_of("Relu"), {"ad"}).candidate == ("product",)
    assert sides.split_by_side(model_of("CumSum"), {"ad"}) is None
