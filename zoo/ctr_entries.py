"""The zoo's click-through rates: two nets over shared embeddings."""

from rocket_keras.launch import Recipe
from zoo import parts
from zoo.ctr import hidden_taps
from zoo.data import adsim, bank, movielens, shoppers
from zoo.entry import Entry, Weights
from zoo.preset import File

_PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
_MOVIELENS = "MovieLens: research use, no redistribution, no commercial use"
_UCI = "UCI Machine Learning Repository: CC BY 4.0"

CTR_ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="mlp.rocket_mlp_ml1m",
        short="ml1m",
        load=movielens.load,
        build=parts.ctr((32, 16), (512, 256, 128)),
        recipe=Recipe(
            epochs=6,
            batch_size=2048,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_MOVIELENS,
        paper=_PAPER,
        notes={"light": "32-16", "booster": "512-256-128", "sharing": "embeddings"},
        variants={**parts.ctr_variants((32, 16), privileged=True), "private user": {"share_except": ("user_id",)}},
        taps=hidden_taps,
        sweep={"1": {"light_units": (32,)}, "2": {"light_units": (32, 16)}, "3": {"light_units": (64, 32, 16)}},
        limits="The rows are ratings: the nets rank films that a user has chosen to rate, not all films. New users and "
        "films share the vector of unseen ids.",
        weights=Weights(
            light=File("9d21445509b521cab9a670dc02c450b3cd7f86c7bcdad10eaa0c50e65c121c9a", 921944),
            booster=File("71f43adcf74eebaf3adcc29a8eeae7b456e3f25975b84992d3794bf2998bc1d4", 1826108),
            metadata=File("7cb0a95619d668f384e530e35f890599b6df4f44b26254f978c5fe698f8b9cbe", 7787),
        ),
    ),
    Entry(
        name="two_tower.rocket_mlp_ml1m",
        short="ml1m-coarse",
        load=movielens.load,
        build=parts.ctr((64, 32), (512, 256, 128), light="two_tower"),
        recipe=Recipe(
            epochs=6,
            batch_size=2048,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_MOVIELENS,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020, coarse-grained ranking",
        notes={"light": "two towers 64-32, cosine x 5", "booster": "512-256-128", "sharing": "embeddings"},
        variants={**parts.ctr_variants((64, 32), privileged=True), "private user": {"share_except": ("user_id",)}},
    ),
    Entry(
        name="mlp.rocket_mlp_adsim",
        short="adsim",
        load=adsim.load,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=3,
            batch_size=1024,
            optimizer=parts.adam(2e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence="made by this project: Apache-2.0",
        paper=_PAPER,
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings"},
        variants={**parts.ctr_variants((16, 8)), "private user": {"share_except": ("user_id",)}},
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="The log is simulated: the nets show how rocket launching works and know nothing of real ads.",
        weights=Weights(
            light=File("e499f23ee3be6314775e9bf60c341aa98c35379c3e12ea2b40ab65629cc45b8d", 615112),
            booster=File("ec67eb89b125381f14602c282c8a97b3a2b1975f33281184414281f35c39e513", 941060),
            metadata=File("78aa41f5ce3d152875b9099cdf1515383d8edc42c472edba3e70cc3b7893bfd8", 7786),
        ),
    ),
    Entry(
        name="mlp.pfd_mlp_bank",
        method="pfd",
        short="bank",
        load=bank.load,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=10,
            batch_size=256,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_UCI,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020",
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings", "privileged": "call duration"},
        variants=parts.ctr_variants((16, 8), privileged=True),
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="Calls of one Portuguese bank, 2008 to 2010. Without the call's duration a subscription is hard to "
        "foretell. Not for decisions on people: age, job and marital status are among the inputs.",
        weights=Weights(
            light=File("247ced093652b9523fae3e5d51359cfeaca62cba9bb0b237b967071881008f30", 70688),
            booster=File("546de8437a2301824c203eeb6f5b053ac52526366218f2327e7cbed8254a1137", 76248),
            metadata=File("784951c0f03d1c0ba7c32210268ff133ba3c78c8464268d247c8026afe9a87c5", 7037),
        ),
    ),
    Entry(
        name="mlp.pfd_mlp_shoppers",
        method="pfd",
        short="shoppers",
        load=shoppers.load,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=15,
            batch_size=128,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_UCI,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020",
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings", "privileged": "dwell, page values"},
        variants=parts.ctr_variants((16, 8), privileged=True),
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="Sessions of one web shop within one year; 12,330 rows, so that the spread over seeds is wide.",
        weights=Weights(
            light=File("d00c8413abb29cd6b84dc77f9c4ed963fd5a4912df8151295c16b50abd6930f4", 64176),
            booster=File("fd4eae1d60ce73cb7e8057201fd173cb5d5c0a214a9172f037cfdd427db15056", 83408),
            metadata=File("42a1f9a65582ed82d98b8fc9f7a128158ed776520febc7eb6f2d09a5d6df137d", 7455),
        ),
    ),
)
