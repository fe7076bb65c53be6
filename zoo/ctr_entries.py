"""The zoo's click-through rates: two nets over shared embeddings."""

from collections.abc import Sequence
from typing import Any

from rocket_keras.launch import Recipe
from zoo import parts
from zoo.ctr import hidden_taps
from zoo.data import adsim, avazu, bank, criteo, frappe, movielens, movielens100k, shoppers, taobao
from zoo.entry import Entry, Weights
from zoo.preset import File

_PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
_PFD = "Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020"
_DCN = "Wang et al., DCN V2, WWW 2021"
_DEEPFM = "Guo et al., DeepFM, IJCAI 2017"
_DIN = "Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018"
_MOVIELENS = "MovieLens: research use, no redistribution, no commercial use"
_UCI = "UCI Machine Learning Repository: CC BY 4.0"
_RATINGS = (
    "The rows are ratings: the nets rank films that a user has chosen to rate, not all films. New users and films "
    "share the vector of unseen ids."
)
_KEPT_USER = {"private user": {"share_except": ("user_id",)}}


def _ctr(
    light: tuple[int, ...],
    booster: tuple[int, ...],
    towers: tuple[str, str] = ("mlp", "mlp"),
    notes: dict[str, str] | None = None,
    variants: dict[str, Any] | None = None,
    privileged: bool = False,
    **rest: Any,
) -> Entry:
    """Make the row of two towers of these widths over shared embeddings.

    Args:
        light, booster: Widths of the hidden layers.
        towers: The light net's and the booster's, names in `zoo.ctr.TOWERS`.
        notes: Facts beside those on the nets.
        variants: Builder options beside the usual variants'.
        privileged: Whether there are variants whose booster reads the data's privileged columns.
        **rest: Fields of the row.
    """
    told = {"light": _told(towers[0], light), "booster": _told(towers[1], booster), "sharing": "embeddings"}
    return Entry(
        build=parts.ctr(light, booster, light=towers[0], booster=towers[1]),
        space=parts.ctr_space(booster, light=towers[0], booster=towers[1]),
        notes={**told, **(notes or {})},
        variants={**parts.ctr_variants(light, privileged), **(variants or {})},
        **{"paper": _PAPER, **rest},
    )


def _told(tower: str, units: Sequence[int]) -> str:
    widths = "-".join(map(str, units))
    return {"mlp": widths, "two_tower": f"two towers {widths}, cosine x 5"}.get(tower, f"{tower} {widths}")


def _hidden(light: tuple[int, ...]) -> dict[str, Any]:
    """Fields of a row whose light net has one tower: its taps, and light nets of one to three layers."""
    sweep = {"1": {"light_units": light[:1]}, "2": {"light_units": light}, "3": {"light_units": (2 * light[0], *light)}}
    return {"taps": hidden_taps, "sweep": sweep}


def _recipe(epochs: int, batch: int, rate: float = 1e-3) -> Recipe:
    """Adam and a hint of weight 1 that leaves the embeddings to the booster."""
    return Recipe(
        epochs=epochs,
        batch_size=batch,
        optimizer=parts.adam(rate),
        hint_weight=1.0,
        light_to_shared=False,
        serving_batch=200,
    )


CTR_ENTRIES: tuple[Entry, ...] = (
    _ctr(
        (32, 16),
        (512, 256, 128),
        name="mlp.rocket_mlp_ml1m",
        short="ml1m",
        load=movielens.load,
        recipe=_recipe(6, 2048),
        licence=_MOVIELENS,
        privileged=True,
        variants=_KEPT_USER,
        limits=_RATINGS,
        weights=Weights(
            light=File("9d21445509b521cab9a670dc02c450b3cd7f86c7bcdad10eaa0c50e65c121c9a", 921944),
            booster=File("71f43adcf74eebaf3adcc29a8eeae7b456e3f25975b84992d3794bf2998bc1d4", 1826108),
            metadata=File("5b832401e3b84714cca12bdfef25ab4c0e3a818b4f2707076dd64cbcc410dee4", 7712),
        ),
        **_hidden((32, 16)),
    ),
    _ctr(
        (32, 16),
        (512, 256, 128),
        ("mlp", "dcnv2"),
        name="mlp.rocket_dcnv2_ml1m",
        short="ml1m-dcnv2",
        load=movielens.load,
        recipe=_recipe(6, 2048),
        licence=_MOVIELENS,
        paper=f"{_PAPER}; {_DCN}",
        privileged=True,
        variants=_KEPT_USER,
        limits=_RATINGS,
        weights=Weights(
            light=File("9cda182d84105ad2d50723d1d0dbebd85246d4601042a42422e4a1d59506ea99", 922968),
            booster=File("3ed8ac0259670e699ff215f4710eef7c5b0e3b6d540fef4fff32e93d920317a2", 1974768),
            metadata=File("6478511ad3e8acb74a9dfe9a61bb5bbf1fea171a7cc0d087628bb03f7e456bb6", 9943),
        ),
        **_hidden((32, 16)),
    ),
    _ctr(
        (64, 32),
        (512, 256, 128),
        ("two_tower", "mlp"),
        name="two_tower.rocket_mlp_ml1m",
        short="ml1m-coarse",
        load=movielens.load,
        recipe=_recipe(6, 2048),
        licence=_MOVIELENS,
        paper=f"{_PFD}, coarse-grained ranking",
        privileged=True,
        variants=_KEPT_USER,
    ),
    _ctr(
        (32, 16),
        (200, 80),
        ("mlp", "din"),
        name="mlp.rocket_din_ml100k",
        short="ml100k",
        load=movielens100k.load,
        recipe=_recipe(2, 512),
        licence=_MOVIELENS,
        paper=f"{_PAPER}; {_DIN}",
        variants=_KEPT_USER,
        limits=f"{_RATINGS} The split is by time, and 86 % of the test rows are of users without a train row.",
        weights=Weights(
            light=File("76a56242f0bd13dbeb476c15a2099e19ebd6b09c5c8e5bf0bb2aa3d01c8f7304", 264320),
            booster=File("0c4c0ea20dcba1f5e1f51cf1c70e419500da69b22102fe74afdb246d9b786c7d", 466432),
            metadata=File("699024dc81079fdfa50a2183a33141b41d92649bf8295bba7460113a28278526", 9981),
        ),
        **_hidden((32, 16)),
    ),
    _ctr(
        (32, 16),
        (256, 128, 64),
        ("mlp", "deepfm"),
        name="mlp.rocket_deepfm_frappe",
        short="frappe",
        load=frappe.load,
        recipe=_recipe(6, 1024, 3e-3),
        licence="Frappe: research use, no redistribution, no commercial use",
        paper=f"{_PAPER}; {_DEEPFM}",
        variants=_KEPT_USER,
        limits="The rows without a click are sampled apps that the user never opened; the split is random, so the nets "
        "know nearly every user and app of the test rows.",
        weights=Weights(
            light=File("22af8f06a5a6b47cfe73131840fe72e7c6a45fcf34d18ff24e0d72fa36501c87", 405352),
            booster=File("3f93feed6a71befefe217344e64ad661149ebde8e1a0546951313c7558d624c4", 743160),
            metadata=File("f5b55457af7645c0d3ceafc9dc2cbe961936d5b5f04236fa5f895223e04c5c14", 9945),
        ),
        **_hidden((32, 16)),
    ),
    _ctr(
        (16, 8),
        (256, 128, 64),
        name="mlp.rocket_mlp_adsim",
        short="adsim",
        load=adsim.load,
        recipe=_recipe(3, 1024, 2e-3),
        licence="made by this project: Apache-2.0",
        variants=_KEPT_USER,
        limits="The log is simulated: the nets show how rocket launching works and know nothing of real ads.",
        weights=Weights(
            light=File("e499f23ee3be6314775e9bf60c341aa98c35379c3e12ea2b40ab65629cc45b8d", 615112),
            booster=File("ec67eb89b125381f14602c282c8a97b3a2b1975f33281184414281f35c39e513", 941060),
            metadata=File("85189a13450bba29b42fea285d64d59fc7ea1d258d5f17e0c7b16415cef4828c", 7658),
        ),
        **_hidden((16, 8)),
    ),
    _ctr(
        (16, 8),
        (256, 128, 64),
        name="mlp.pfd_mlp_bank",
        method="pfd",
        short="bank",
        load=bank.load,
        recipe=_recipe(10, 256),
        licence=_UCI,
        paper=_PFD,
        notes={"privileged": "call duration"},
        privileged=True,
        limits="Calls of one Portuguese bank, 2008 to 2010. Without the call's duration a subscription is hard to "
        "foretell. Not for decisions on people: age, job and marital status are among the inputs.",
        weights=Weights(
            light=File("247ced093652b9523fae3e5d51359cfeaca62cba9bb0b237b967071881008f30", 70688),
            booster=File("546de8437a2301824c203eeb6f5b053ac52526366218f2327e7cbed8254a1137", 76248),
            metadata=File("7dcd4e794444c1f9b289a7d9bdc066798827d2d1fdc1bc3465e2a52617a59147", 7037),
        ),
        **_hidden((16, 8)),
    ),
    _ctr(
        (16, 8),
        (256, 128, 64),
        name="mlp.pfd_mlp_shoppers",
        method="pfd",
        short="shoppers",
        load=shoppers.load,
        recipe=_recipe(15, 128),
        licence=_UCI,
        paper=_PFD,
        notes={"privileged": "dwell, page values"},
        privileged=True,
        limits="Sessions of one web shop within one year; 12,330 rows, so that the spread over seeds is wide.",
        weights=Weights(
            light=File("d00c8413abb29cd6b84dc77f9c4ed963fd5a4912df8151295c16b50abd6930f4", 64176),
            booster=File("fd4eae1d60ce73cb7e8057201fd173cb5d5c0a214a9172f037cfdd427db15056", 83408),
            metadata=File("81bacef7f9fb81a054bdf3a7b70e7bd7e58cd2b3ca8784f7ee9909a19ebdb77d", 7455),
        ),
        **_hidden((16, 8)),
    ),
    _ctr(
        (64, 32),
        (512, 256, 128),
        ("mlp", "dcnv2"),
        name="mlp.rocket_dcnv2_criteo",
        short="criteo",
        load=criteo.load,
        recipe=_recipe(1, 4096),
        licence="Criteo Display Advertising Challenge: terms of the competition",
        paper=f"{_PAPER}; {_DCN}",
        **_hidden((64, 32)),
    ),
    _ctr(
        (64, 32),
        (512, 256, 128),
        ("mlp", "deepfm"),
        name="mlp.rocket_deepfm_avazu",
        short="avazu",
        load=avazu.load,
        recipe=_recipe(1, 4096),
        licence="Avazu Click-Through Rate Prediction: terms of the competition",
        paper=f"{_PAPER}; {_DEEPFM}",
        **_hidden((64, 32)),
    ),
    _ctr(
        (200, 80),
        (720, 360, 240, 180, 90),
        name="mlp.rocket_mlp_taobao",
        short="taobao",
        load=taobao.load,
        recipe=_recipe(1, 1024),
        licence="Taobao display ads (Alimama, Tianchi): research use, cite the source",
        paper=f"{_PAPER}, section on display advertising: its nets, on public data of the same house",
        variants={"din": {"booster": "din"}, "private user": {"share_except": ("user_id",)}},
        **_hidden((200, 80)),
    ),
)
