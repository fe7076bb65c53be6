"""A made-up compare.json in any size, for what prints and draws it."""

import numpy as np

from rocket_keras.methods import METHODS

RELAY = ("relay", "relay", "ours", "light")


def runs(rng, mean, seeds, seconds, metric, spread):
    """One run a seed; its scores vary by `spread`, part of it the same for all methods."""
    found = []
    for seed in seeds:
        common = np.random.default_rng(seed).normal(0, spread)
        score = float(mean + common + rng.normal(0, spread / 2))
        test = {metric: score, "log_loss": 0.4} | ({"gauc": score - 0.05} if metric == "auc" else {})
        total = float(seconds * (1 + rng.uniform(-0.02, 0.02)))
        found.append(
            {"seed": seed, "test": test, "validation": test, "seconds": round(total, 3), "stage_seconds": [total]}
        )
    return found


def latency(light):
    return {
        "p50_ms": 0.0612 if light else 0.402,
        "p95_ms": 0.07 if light else 0.45,
        "p99_ms": 0.081 if light else 0.512,
        "batch_size": 200,
        "threads": 1,
        "requests": 300,
        "runtime": "onnxruntime 1.31.1",
        "device": "Chip 7",
        "budget_ms": None,
    }


def method(rng, title, family, net, mean, seeds, seconds, metric, spread, tuned, scale):
    scores = {factor: {metric: mean - 0.001 * index} for index, factor in enumerate(("0.333333", "1", "3"))}
    again = {"epoch_scale": scale, "runs": runs(rng, mean - spread, seeds, 30.0, metric, spread)} if scale else None
    return {
        "title": title,
        "paper": "Somebody et al., 2020",
        "equation": "CE(y,l) + w |l - z|^2",
        "net": net,
        "family": family,
        "stages": ["both, 20 epochs, labels 1.0, the recipe's x 0.03"],
        "factor": 1 / 3 if tuned else 1.0,
        "tuning": scores if tuned else {},
        "runs": runs(rng, mean, seeds, seconds, metric, spread),
        "failed": {},
        "same_seconds": again,
        "latency": latency(net == "light"),
        "parameters": 1000 if net == "light" else 20000,
        "multiply_adds": 10_000 if net == "light" else 200_000,
    }


def made_up(names=("base", "booster", "rocket", "kd"), seeds=(0, 1, 2), metric="auc", relay=False):
    """Content of compare.json: base below rocket below booster, by several standard deviations."""
    rng = np.random.default_rng(7)
    low, high, spread = (0.8129, 0.8167, 0.0004) if metric == "auc" else (0.9642, 0.9851, 0.004)
    table = [(m.name, m.title, m.family, m.net, m.tuned) for m in METHODS if m.name in names]
    table += [(*RELAY, True)] if relay else []
    methods = {}
    for index, (name, title, family, net, tuned) in enumerate(table):
        share = {"base": 0.0, "booster": 1.0, "rocket": 0.7, "relay": 0.95}.get(name, 0.1 + 0.75 * index / len(table))
        seconds = {"base": 9.0, "booster": 25.0, "rocket": 30.0}.get(name, 31.0 + 2.5 * (index % 9))
        scale = round(30.0 / seconds, 2) if family in ("two-stage", "ours") or name == "base" else None
        mean = low + share * (high - low)
        methods[name] = method(rng, title, family, net, mean, seeds, seconds, metric, spread, tuned, scale)
    bayes = {"auc": 0.8312, "gauc": 0.7905, "log_loss": 0.3811}
    data = {
        "name": "adsim" if metric == "auc" else "digits",
        "source": "simulated",
        "hash": "ab" * 32,
        "rows": {"train": 800_000, "validation": 100_000, "test": 100_000},
        "bayes": bayes if metric == "auc" else None,
    }
    return {
        "entry": "mlp.rocket_mlp_adsim" if metric == "auc" else "wrn10_1.rocket_wrn28_1_digits",
        "command": "rocket-keras compare x --methods all --seeds 3",
        "date": "2030-01-02T03:04:05+00:00",
        "git_commit": "0123abcd",
        "backend": "jax",
        "device": "cpu, Example 9000, 2 cores",
        "versions": {"rocket-keras": "0.1.0", "keras": "3.15.1", "jax": "0.9.9"},
        "dataset": data,
        "recipe": {"epochs": 20, "hint_weight": 0.03, "gradient_block": True, "train_rows": None},
        "seeds": list(seeds),
        "metric": metric,
        "grid": [1 / 3, 1.0, 3.0],
        "complete": True,
        "methods": methods,
        "skipped": {"dkd": "it is defined on the logits of several classes, and a click has one"},
        "sweep": None,
        "missing_class": None,
        "features": None,
    }


ALL = tuple(m.name for m in METHODS)
