import dataclasses
import json

import numpy as np
import pytest
from rich.console import Console

import zoo
from rocket_keras.compare import Comparison, compare, pick_methods
from zoo import packing
from zoo.cards import card, closed_gap, verdict
from zoo.data import adsim
from zoo.preset import Preset
from zoo.verifying import verify

ENTRY = zoo.get_entry("adsim")


@dataclasses.dataclass(frozen=True)
class Small:
    """Makes the plan of the advertising entry at a size for tests."""

    def __call__(self, seed):
        return self.entry.plan(None, seed)

    @property
    def entry(self):
        recipe = dataclasses.replace(ENTRY.recipe, epochs=1, train_rows=2000)
        return dataclasses.replace(ENTRY, recipe=recipe)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished comparison of two seeds, and the preset that was packed from it."""
    root = tmp_path_factory.mktemp("run")
    methods = pick_methods(["base", "booster", "rocket"])
    asked = Comparison(Small(), root / "compare", methods, (0, 1), grid=(1.0,), same_seconds=False)
    compare(asked, Console(quiet=True))
    files = packing.pack(Small().entry, root / "compare", root / "preset")
    return root, files


def test_the_shipped_seed_is_the_one_whose_light_net_gains_most_on_validation(run):
    root, _ = run
    result = json.loads((root / "compare/compare.json").read_text())
    runs = {name: result["methods"][name]["runs"] for name in ("base", "rocket")}
    gains = [light["validation"]["auc"] - base["validation"]["auc"] for base, light in zip(*runs.values(), strict=True)]
    assert Preset(str(root / "preset")).metadata()["seed"] == int(np.argmax(gains))


def test_the_preset_holds_the_nets_that_the_comparison_scored(run):
    root, files = run
    metadata = Preset(str(root / "preset"), files).metadata()
    result = json.loads((root / "compare/compare.json").read_text())
    scored = result["methods"]["rocket"]["runs"][metadata["seed"]]
    for split in ("validation", "test"):
        for score, value in scored[split].items():
            assert metadata["nets"]["light"][split][score] == pytest.approx(value, abs=1e-6)
    assert metadata["results"]["rocket"]["test"]["auc"]["mean"] == pytest.approx(
        np.mean([one["test"]["auc"] for one in result["methods"]["rocket"]["runs"]])
    )


def test_verify_scores_the_real_test_split_and_tells_a_wrong_card(run, tmp_path):
    root, _ = run
    rows = verify(root / "preset")
    assert {(row["net"], row["score"]) for row in rows} == {
        (net, score) for net in ("light", "booster") for score in ("auc", "gauc", "log_loss")
    }
    assert all(row["holds"] for row in rows)
    told = json.loads((root / "preset/metadata.json").read_text())
    told["nets"]["light"]["test"]["auc"] += 2e-4
    for file in (root / "preset").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "metadata.json").write_text(json.dumps(told))
    wrong = [row for row in verify(tmp_path) if not row["holds"]]
    assert [(row["net"], row["score"]) for row in wrong] == [("light", "auc")]


def test_raw_values_are_encoded_as_in_training(run):
    root, _ = run
    data = adsim.load(seed=Preset(str(root / "preset")).metadata()["seed"])
    raw = {name: data.test.x[name][:5] for name in data.encoder.columns()}
    encoded = zoo.preprocess_input(root / "preset", raw)
    assert encoded.keys() == data.test.x.keys()
    for name, column in encoded.items():
        np.testing.assert_array_equal(column, data.encoder.encode(raw)[name])


def test_the_card_tells_results_sizes_terms_and_files(run):
    root, _ = run
    metadata = Preset(str(root / "preset")).metadata()
    text = card(metadata)
    mean = metadata["results"]["rocket"]["test"]["auc"]["mean"]
    assert f"{mean:.4f}" in text
    assert f"{metadata['nets']['light']['parameters']:,}" in text
    assert ENTRY.licence in text
    assert all(file.sha256 in text for file in metadata["files"].values())


def test_a_card_says_plainly_when_the_light_net_lost(run):
    root, _ = run
    metadata = Preset(str(root / "preset")).metadata()
    rows = metadata["results"]
    for name, mean in (("base", 0.7), ("booster", 0.8), ("rocket", 0.75)):
        rows[name]["test"]["auc"] |= {"mean": mean, "values": [mean - 0.01, mean + 0.01]}
    assert closed_gap(metadata, "auc") == pytest.approx(0.5)
    assert verdict(metadata).startswith("The light net beats its base: test AUC 0.7500 against 0.7000")
    assert "50%" in verdict(metadata)
    rows["booster"]["test"]["auc"] |= {"mean": 0.71, "values": [0.75, 0.67]}
    assert closed_gap(metadata, "auc") is None
    assert "booster alone is not better" in verdict(metadata)
    rows["rocket"]["test"]["auc"]["mean"] = 0.7
    assert verdict(metadata).startswith("**The light net does not beat its base**")


def test_what_cannot_be_packed_is_one_line(run, tmp_path):
    root, _ = run
    small = Small().entry
    with pytest.raises(FileNotFoundError, match=r"compare\.json.*rocket-keras compare"):
        packing.pack(small, tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match=r"the entry's recipe in .*epochs"):
        packing.pack(ENTRY, root / "compare", tmp_path / "out")
    with pytest.raises(ValueError, match="without pfd"):
        packing.pack(dataclasses.replace(small, method="pfd"), root / "compare", tmp_path / "out")
    with pytest.raises(ValueError, match="last stage trains both"):
        packing.pack(dataclasses.replace(small, method="booster"), root / "compare", tmp_path / "out")
    assert not (tmp_path / "out").exists()
