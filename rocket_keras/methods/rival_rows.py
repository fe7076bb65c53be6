"""Rows of the methods' table: every other method of the field."""

import dataclasses
from functools import partial

from rocket_keras import hints
from rocket_keras.methods import parts
from rocket_keras.methods.rocket_rows import BOOSTER, KD_TERM, PAPER, PAPER_HINT, SQUARED_PROBABILITY
from rocket_keras.methods.stage import Method, Stage, Term
from rocket_keras.transfer import labelled_and_unlabelled, unlabelled

_HINTON = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
_PFD = "Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020"

PFD_TERM = Term(partial(hints.SoftTargetHint, 1.0), 0.5)
ATTENTION_TERM = Term(hints.AttentionHint, 2e3, taps=parts.each, per_position=True)
KD = Stage("light", hints=(KD_TERM,), labels=0.1, teachers=(BOOSTER,))
GUIDED = Stage(
    "light",
    share=0.3,
    labels=0.0,
    hints=(Term(hints.FeatureHint, partial(parts.by_logits, one=0.01, several=0.003), taps=parts.middle),),
    teachers=(BOOSTER,),
)
PRIVILEGED_TEACHER = Stage("booster", variant="privileged same size")


def _pfd(variant: str) -> Stage:
    """Teacher and student together, the hint from the swap step on."""
    term = Term(PFD_TERM.hint, PFD_TERM.weight, course=parts.warm_up)
    return Stage("both", hints=(term,), labels=parts.half_labels_after_swap, variant=variant)


def _distilled(name: str, title: str, paper: str, equation: str, *stages: Stage, **options: object) -> Method:
    return Method(name, title, paper, equation, stages, "two-stage", **options)  # type: ignore[arg-type]


def _under_both_switches(name: str, title: str, paper: str, equation: str, stage: Stage) -> tuple[Method, Method]:
    """Return the row as published, whose student trains the shared layers, and the row under our switch.

    Neither depends on the entry's own `light_to_shared`.
    """
    published, routed = (dataclasses.replace(stage, light_to_shared=to_shared) for to_shared in (True, False))
    return (
        Method(name, title, paper, equation, (published,), "privileged"),
        Method(
            f"{name}-routed",
            f"{title}, light_to_shared=False",
            f"{paper}; routed by this project",
            f"{equation}; the light net's terms do not move the shared layers",
            (routed,),
            "privileged",
        ),
    )


RIVAL_ROWS: tuple[Method, ...] = (
    _distilled("kd", "KD", _HINTON, "0.1 CE(y,l) + 0.9 T^2 KL(softmax(z/T), softmax(l/T)), T = 4", BOOSTER, KD),
    _distilled(
        "mimic",
        "SNN-MIMIC",
        "Ba and Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014",
        "1/2 |l - z|^2",
        BOOSTER,
        Stage("light", hints=(Term(hints.SquaredLogitHint, 0.5),), labels=0.0, teachers=(BOOSTER,)),
    ),
    _distilled(
        "softmax-l2",
        "semi-supervised L2 after softmax",
        PAPER,
        "CE(y,l) of labelled rows + w |softmax(l) - softmax(z)|^2 of all rows",
        BOOSTER,
        Stage("light", hints=(SQUARED_PROBABILITY,), teachers=(BOOSTER,), rows=labelled_and_unlabelled),
    ),
    _distilled(
        "compression",
        "model compression",
        "Bucila et al., Model Compression, KDD 2006",
        "|softmax(l) - softmax(z)|^2 of a transfer set without labels",
        BOOSTER,
        Stage("light", hints=(SQUARED_PROBABILITY,), labels=0.0, teachers=(BOOSTER,), rows=unlabelled),
    ),
    _distilled(
        "fitnets",
        "FitNets",
        "Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015",
        "first 1/2 |r(light feature) - booster feature|^2; "
        "then CE(y,l) + w T^2 KL(softmax(z/T), softmax(l/T)), T = 3, w from 4 to 1",
        BOOSTER,
        GUIDED,
        Stage(
            "light",
            share=0.7,
            hints=(Term(partial(hints.SoftTargetHint, 3.0), 1.0, course=parts.annealed),),
            teachers=(BOOSTER,),
            start=GUIDED,
            light_to_shared=True,
        ),
    ),
    _distilled(
        "at",
        "AT",
        "Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017",
        "CE(y,l) + b sum over groups of |map(light) - map(booster)|^2 / positions, b = 1000",
        BOOSTER,
        Stage("light", hints=(ATTENTION_TERM,), teachers=(BOOSTER,)),
        needs=(parts.needs_maps,),
    ),
    _distilled(
        "at+kd",
        "AT + KD",
        "Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017",
        "0.1 CE(y,l) + 0.9 T^2 KL(softmax(z/T), softmax(l/T)) + attention as in AT",
        BOOSTER,
        Stage("light", hints=(KD_TERM, ATTENTION_TERM), labels=0.1, teachers=(BOOSTER,)),
        needs=(parts.needs_maps,),
    ),
    _distilled(
        "dkd",
        "DKD",
        "Zhao et al., Decoupled Knowledge Distillation, CVPR 2022",
        "CE(y,l) + T^2 (TCKD + 8 NCKD), T = 4",
        BOOSTER,
        Stage("light", hints=(Term(hints.DecoupledHint, 1.0),), teachers=(BOOSTER,)),
        needs=(parts.needs_classes,),
    ),
    _distilled(
        "logit-std",
        "KD, standardised logits",
        "Sun et al., Logit Standardization in Knowledge Distillation, CVPR 2024",
        "0.1 CE(y,l) + 9 T^2 KL of the z-scored logits, T = 2",
        BOOSTER,
        Stage("light", hints=(Term(hints.StandardisedHint, 9.0),), labels=0.1, teachers=(BOOSTER,)),
        needs=(parts.needs_classes,),
    ),
    _distilled(
        "kd-ensemble",
        "KD from three boosters",
        _HINTON,
        "0.1 CE(y,l) + 0.9 T^2 KL(softmax(z/T), softmax(l/T)), z the mean logits of three boosters",
        BOOSTER,
        Stage("booster", seed=101),
        Stage("booster", seed=202),
        Stage(
            "light",
            hints=(KD_TERM,),
            labels=0.1,
            teachers=(BOOSTER, Stage("booster", seed=101), Stage("booster", seed=202)),
        ),
    ),
    Method(
        "rocket-ensemble",
        "rocket under an ensemble",
        PAPER,
        "CE(y,l) + w |l - z|^2, z the mean logits of three towers",
        (Stage("both", hints=(PAPER_HINT,), variant="ensemble"),),
        "joint",
        tuned=False,
    ),
    Method(
        "dml",
        "DML",
        "Zhang et al., Deep Mutual Learning, CVPR 2018",
        "CE(y,l) + KL(softmax(z), softmax(l)), and the same for the booster",
        (Stage("both", hints=(Term(parts.mutual, 1.0),), variant="unshared", block=False),),
        "joint",
    ),
    *_under_both_switches(
        "md",
        "MD, synchronous",
        _PFD,
        "(1 - w) CE(y,l) + w CE(sigmoid(z), l), w = 0.5 from the swap step on; same inputs",
        _pfd("own"),
    ),
    *_under_both_switches(
        "pfd",
        "PFD, synchronous",
        _PFD,
        "(1 - w) CE(y,l) + w CE(sigmoid(z), l), w = 0.5 from the swap step on; z of the light net's size, sees "
        "the privileged features",
        _pfd("privileged same size"),
    ),
    Method(
        "pfd-async",
        "PFD, asynchronous",
        _PFD,
        "0.5 CE(y,l) + 0.5 CE(sigmoid(z), l), z of a privileged teacher trained before",
        (PRIVILEGED_TEACHER, Stage("light", hints=(PFD_TERM,), labels=0.5, teachers=(PRIVILEGED_TEACHER,))),
        "two-stage",
    ),
    *_under_both_switches(
        "pfd+md",
        "PFD + MD",
        _PFD,
        "(1 - w) CE(y,l) + w CE(sigmoid(z), l), w = 0.5 from the swap step on; z the full booster, sees the privileged "
        "features",
        _pfd("privileged"),
    ),
    *_under_both_switches(
        "rocket-privileged",
        "rocket under a privileged booster",
        f"{PAPER}; {_PFD}",
        "CE(y,l) + w |l - z|^2, z sees the privileged features",
        Stage("both", hints=(PAPER_HINT,), variant="privileged"),
    ),
)
