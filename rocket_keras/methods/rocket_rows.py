"""Rows of the methods' table: the references, rocket launching, and its variants one by one."""

from functools import partial

from rocket_keras import hints
from rocket_keras.methods import parts
from rocket_keras.methods.stage import Method, Stage, Term

PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
BOOSTER = Stage("booster")
PAPER_HINT = Term()
KD_TERM = Term(parts.soft_targets, 0.9)
COSINE_TERM = Term(partial(hints.CosineHint, regressor=True), 0.1, taps=parts.each)
SQUARED_PROBABILITY = Term(hints.SquaredProbabilityHint, partial(parts.by_logits, one=10.0, several=3.0))


def _rocket(name: str, title: str, family: str, stage: Stage, tuned: bool = False, equation: str = "") -> Method:
    return Method(name, title, PAPER, equation or "CE(y,l) + w |l - z|^2", (stage,), family, tuned=tuned)  # type: ignore[arg-type]


ROCKET_ROWS: tuple[Method, ...] = (
    Method("base", "base", "-", "CE(y,l)", (Stage("light"),), "reference", tuned=False),
    Method("booster", "booster alone", "-", "CE(y,z)", (BOOSTER,), "reference", net="booster", tuned=False),
    _rocket("rocket", "rocket", "rocket", Stage("both", hints=(PAPER_HINT,)), tuned=True),
    Method(
        "rocket+kd",
        "rocket + KD",
        PAPER,
        "CE(y,l) + w |l - z|^2 + 0.9 T^2 KL(softmax(t/T), softmax(l/T)), t a booster trained before, T = 4",
        (
            BOOSTER,
            Stage(
                "both",
                hints=(PAPER_HINT, Term(KD_TERM.hint, KD_TERM.weight, toward="teachers")),
                teachers=(BOOSTER,),
            ),
        ),
        "two-stage",
    ),
    _rocket(
        "rocket-routed",
        "rocket, light_to_shared=False",
        "ablation",
        Stage("both", hints=(PAPER_HINT,), light_to_shared=False),
    ),
    _rocket(
        "rocket-through-shared",
        "rocket, light_to_shared=True",
        "ablation",
        Stage("both", hints=(PAPER_HINT,), light_to_shared=True),
    ),
    _rocket(
        "rocket-bottom", "rocket, bottom sharing", "ablation", Stage("both", hints=(PAPER_HINT,), variant="bottom")
    ),
    _rocket(
        "rocket-interval",
        "rocket, interval sharing",
        "ablation",
        Stage("both", hints=(PAPER_HINT,), variant="interval"),
    ),
    _rocket(
        "rocket-unshared", "rocket, nothing shared", "ablation", Stage("both", hints=(PAPER_HINT,), variant="unshared")
    ),
    _rocket(
        "rocket-no-block", "rocket, no gradient block", "ablation", Stage("both", hints=(PAPER_HINT,), block=False)
    ),
    _rocket(
        "rocket-private-user",
        "rocket, the user's id not shared",
        "ablation",
        Stage("both", hints=(PAPER_HINT,), variant="private user"),
    ),
    _rocket(
        "rocket-private",
        "rocket, small private embeddings besides",
        "ablation",
        Stage("both", hints=(PAPER_HINT,), variant="private"),
    ),
    _rocket(
        "rocket+cosine",
        "rocket + cosine of hidden layers",
        "ablation",
        Stage("both", hints=(PAPER_HINT, COSINE_TERM)),
        equation="CE(y,l) + w |l - z|^2 + 0.1 (1 - cos(r(light feature), booster feature))",
    ),
    Method(
        "rocket-no-joint",
        "rocket, no joint training",
        PAPER,
        "CE(y,l) + w |l - z|^2, z of a booster trained before, shared layers begin as the booster's",
        (BOOSTER, Stage("light", hints=(PAPER_HINT,), teachers=(BOOSTER,), start=BOOSTER)),
        "ablation",
        tuned=False,
    ),
    _rocket(
        "rocket-squared-probability",
        "rocket, squared probabilities",
        "ablation",
        Stage("both", hints=(SQUARED_PROBABILITY,)),
        tuned=True,
        equation="CE(y,l) + w |softmax(l) - softmax(z)|^2",
    ),
    _rocket(
        "rocket-kd-hint",
        "rocket, KD hint",
        "ablation",
        Stage("both", hints=(KD_TERM,)),
        tuned=True,
        equation="CE(y,l) + w T^2 KL(softmax(z/T), softmax(l/T)), T = 4",
    ),
)
