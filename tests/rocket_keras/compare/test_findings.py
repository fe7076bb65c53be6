"""Sentences follow the numbers, whichever way they point."""

import runpy
from pathlib import Path

import pytest

from rocket_keras.compare.findings import CLAIMS, best_light, best_rival, findings

made_up = runpy.run_path(str(Path(__file__).with_name("made_up.py")))["made_up"]


def shifted(result, name, differences, key="auc", again=None):
    """Let a method differ from the base by these numbers, seed by seed."""
    base = {0: 0.70, 1: 0.74, 2: 0.72}
    for method in (result["methods"]["base"], result["methods"][name]):
        method["same_seconds"] = None
    result["methods"]["base"]["runs"] = [
        {"seed": s, "test": {key: base[s]}, "seconds": 5.0} for s in range(len(differences))
    ]
    runs = [{"seed": s, "test": {key: base[s] + d}, "seconds": 10.0} for s, d in enumerate(differences)]
    result["methods"][name]["runs"] = runs
    if again is not None:
        changed = [{"seed": s, "test": {key: base[s] + d}, "seconds": 10.0} for s, d in enumerate(again)]
        result["methods"][name]["same_seconds"] = {"epoch_scale": 0.5, "runs": changed}
    return result


def about(result, start):
    return next(text for text in findings(result) if text.startswith(f"{start}:"))


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ((0.010, 0.011, 0.012), "holds"),
        ((-0.010, -0.011, -0.012), "does not hold, the opposite does"),
        ((0.010, -0.011, 0.012), "not decided"),
        ((0.010,), "not decided by one seed"),
    ],
)
def test_verdict_follows_the_interval(differences, verdict):
    result = shifted(made_up(("base", "rocket")), "rocket", differences)
    assert about(result, "Rocket beats the base").startswith(f"Rocket beats the base: {verdict}. ")


def test_sentence_has_both_means_the_difference_and_its_interval():
    result = shifted(made_up(("base", "rocket")), "rocket", (0.010, 0.011, 0.012))
    # Half of the interval: 4.3027 (t, 2 degrees of freedom) x 0.001 / sqrt(3) = 0.00248.
    assert about(result, "Rocket beats the base") == (
        "Rocket beats the base: holds. Test AUC 0.7310 (rocket) against 0.7200 (base), paired difference +0.0110 "
        "(95 % interval +0.0085 to +0.0135, 3 seeds)."
    )


def test_accuracy_is_in_percent_and_points_and_one_seed_has_no_interval():
    result = shifted(made_up(("base", "rocket"), metric="accuracy"), "rocket", (0.0123,), key="accuracy")
    assert about(result, "Rocket beats the base").endswith(
        "Test accuracy 71.23 % (rocket) against 70.00 % (base), paired difference +1.23 points (no interval, 1 seed)."
    )


def test_a_claim_without_its_methods_is_left_out():
    text = " ".join(findings(made_up(("base", "rocket"))))
    assert "KD" not in text
    assert "PFD" not in text
    assert "gradient block" not in text
    assert "own recipe" not in text
    assert findings(made_up(("base",))) == []


def test_costs_are_told_where_the_claim_is_about_them():
    assert about(made_up(), "Rocket beats KD").rpartition("; ")[2].startswith("training took ")


def test_every_claim_but_those_of_equal_methods_is_said_of_a_full_comparison():
    names = {side for claim in CLAIMS for side in (claim.first, claim.second) if isinstance(side, str)}
    said = findings(made_up(names, relay=True))
    assert [claim.text for claim in CLAIMS] == [text.partition(":")[0] for text in said[: len(CLAIMS)]]


def test_the_best_rival_is_a_light_net_that_is_not_ours_and_has_all_seeds():
    result = made_up(("base", "booster", "rocket", "kd"), relay=True)
    for name, value in {"booster": 0.99, "relay": 0.98, "kd": 0.97, "rocket": 0.90, "base": 0.80}.items():
        result["methods"][name]["runs"] = [
            {"seed": s, "test": {"auc": value}, "seconds": 10.0} for s in result["seeds"]
        ]
        result["methods"][name]["same_seconds"] = None
    assert best_light(result) == "relay"
    assert best_rival(result, "epochs") == "kd"
    del result["methods"]["kd"]["runs"][0]
    assert best_rival(result, "epochs") == "rocket"


def test_equal_seconds_use_the_runs_with_changed_epochs():
    result = made_up(("base", "rocket", "kd"))
    shifted(result, "rocket", (0.010, 0.011, 0.012))
    shifted(result, "kd", (0.020, 0.021, 0.022), again=(0.001, 0.002, 0.003))
    for run in result["methods"]["kd"]["runs"]:
        run["seconds"] = 60.0
    assert ": does not hold, the opposite does." in about(result, "Rocket beats KD")
    assert ": holds." in about(result, "Rocket beats KD at equal seconds")


def test_our_own_recipe_says_how_much_of_the_gap_it_closes():
    result = made_up(relay=True)
    for name, value in {"base": 0.70, "booster": 0.80, "relay": 0.79}.items():
        result["methods"][name]["runs"] = [
            {"seed": s, "test": {"auc": value, "gauc": value**2}, "seconds": 10.0} for s in result["seeds"]
        ]
    assert (
        "With the recipe's epochs in each of its two stages, relay closes 90 % in AUC and 89 % in GAUC of the gap from "
        "base to booster."
    ) in findings(result)
