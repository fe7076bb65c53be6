"""The report of a launch: table, page, plots, and the words, also when the light net did not win."""

import base64
import html.parser
import io
import math
import struct

import pytest
from rich.console import Console

from rocket_keras.plots import comparison_figure, learning_curves_figure
from rocket_keras.report import print_table, summary_rows, write_report
from rocket_keras.summary import latency_note, summary_sentences, wilson_interval


def latency(p50):
    setting = {"batch_size": 200, "threads": 1, "runtime": "onnxruntime 1.31.1", "requests": 1000, "device": "Chip 7"}
    return {"p50_ms": p50, "p95_ms": 1.1 * p50, "p99_ms": 1.3 * p50, **setting}


def net(test, macs, p50, seconds):
    return {
        "test": test,
        "validation": test,
        "parameters": macs // 3,
        "multiply_adds": macs,
        "latency": latency(p50) if p50 else None,
        "training_seconds": seconds,
    }


def falling(start, end, epochs):
    return [end + (start - end) * math.exp(-6 * epoch / epochs) for epoch in range(epochs)]


def sample(tests, metric, dataset, epochs=20):
    """A made-up metrics.json; `tests` are the test numbers of base, light, booster and booster in rocket."""
    names = ("base", "light", "booster", "booster_in_rocket")
    sizes, p50s = (1_670_400, 1_670_400, 9_120_000, 9_120_000), (0.0612, 0.0598, 0.402, None)
    nets = zip(tests, sizes, p50s, (9.1, 31.4, 25, 31.4), strict=True)
    final = {name: test[metric] for name, test in zip(names, tests, strict=True)}
    curve = {name: falling(0.5, value, epochs) for name, value in final.items()}
    return {
        "entry": "wrn10_1.rocket_wrn28_1_digits",
        "command": "rocket-keras launch digits --seed 3",
        "seed": 3,
        "backend": "jax",
        "device": "cpu, Example 9000, 2 cores",
        "versions": {"rocket-keras": "0.1.0", "keras": "3.15.1", "jax": "0.9.9"},
        "git_commit": "0123abcd",
        "date": "2026-01-02T03:04:05Z",
        "dataset": dataset,
        "recipe": {"epochs": epochs, "hint_weight": 0.03, "gradient_block": True, "train_rows": None},
        "nets": {name: net(*numbers) for name, numbers in zip(names, nets, strict=True)},
        "history": {
            "base": {f"val_{metric}": curve["base"]},
            "booster": {f"val_{metric}": curve["booster"]},
            "rocket": {
                "light_loss": falling(2.0, 0.1, epochs),
                "booster_loss": falling(1.8, 0.05, epochs),
                "hint_loss": falling(9.0, 0.4, epochs),
                f"val_light_{metric}": curve["light"],
                f"val_booster_{metric}": curve["booster_in_rocket"],
            },
        },
    }


def digits(base=0.961, light=0.978, booster=0.985, epochs=20):
    rows = {"train": 400, "validation": 180, "test": 540}
    dataset = {"name": "digits", "source": "scikit-learn", "hash": "ab" * 32, "rows": rows, "bayes": None}
    return sample([{"accuracy": value} for value in (base, light, booster, 0.983)], "accuracy", dataset, epochs)


def adsim():
    rows = {"train": 800_000, "validation": 100_000, "test": 100_000}
    bayes = {"auc": 0.8312, "gauc": 0.7905, "log_loss": 0.3811}
    dataset = {"name": "adsim", "source": "simulated", "hash": "cd" * 32, "rows": rows, "bayes": bayes}
    values = [(0.8129, 0.7646, 0.4012), (0.8154, 0.7702, 0.3988), (0.8167, 0.7715, 0.3971), (0.8165, 0.7713, 0.3975)]
    return sample([dict(zip(bayes, value, strict=True)) for value in values], "auc", dataset)


VOID_ELEMENTS = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """Collects cells and addresses; each image must have an alternative text, each element its end."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.addresses, self.images = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        self.addresses += [attrs[name] for name in ("src", "href", "srcset", "action") if name in attrs]
        if tag == "img":
            assert attrs["alt"]
            self.images.append(attrs["src"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def png_size(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize("metrics", [digits(), adsim()], ids=["accuracy", "ctr"])
def test_the_folder_has_the_plots_and_a_page_with_the_whole_table(metrics, tmp_path):
    write_report(metrics, tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    rows = summary_rows(metrics)
    assert page.cells == [*rows[0], *(cell for row in rows for cell in row.values())]
    for name, image in zip(("learning_curves", "comparison", "latency_quality"), page.images, strict=True):
        data = (tmp_path / "run" / f"{name}.png").read_bytes()
        assert base64.b64decode(image.removeprefix("data:image/png;base64,")) == data
        assert png_size(data)[0] == 1024
        assert png_size(data)[1] > 500
    assert all(address.startswith("data:") for address in page.addresses)
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_says_what_was_done(tmp_path):
    write_report(digits(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for fact in ("400 train", "ab" * 32, "hint weight 0.03", "gradient block yes", "--seed 3", "jax", "Example 9000"):
        assert fact in text
    for fact in (
        "train rows none",
        "keras 3.15.1",
        "0123abcd",
        "31.4 s",
        "batch of 200, 1 thread, onnxruntime 1.31.1, 1,000 requests, Chip 7",
    ):
        assert fact in text


def test_foreign_text_is_escaped(tmp_path):
    metrics = digits()
    for key in ("entry", "command", "device", "date", "backend", "git_commit"):
        metrics[key] = "<script>alert(1)</script>"
    metrics["dataset"] |= {"name": "<script>", "source": "<script>", "hash": "<script>"}
    metrics["recipe"] = {"<script>": "<script>"}
    metrics["versions"] = {"<script>": "<script>"}
    write_report(metrics, tmp_path)
    assert "<script" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_rows_of_an_accuracy_run():
    light = summary_rows(digits())[1]
    low, high = wilson_interval(0.978, 540)
    interval = f"{100 * low:.1f} to {100 * high:.1f}"
    texts = ["light (rocket)", "97.80", interval, "556,800", "1,670,400", "0.0598", "0.0777", "31.4"]
    assert list(light.values()) == texts


def test_rows_of_a_ctr_run_end_with_the_bayes_optimum():
    rows = summary_rows(adsim())
    assert list(rows[0].values())[:4] == ["base", "0.8129", "0.7646", "0.4012"]
    assert rows[3]["p50 ms"] == "–"
    assert list(rows[-1].values()) == ["Bayes optimum", "0.8312", "0.7905", "0.3811", *["–"] * 5]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.961, 0.978, 0.985), "gained the light net 1.70 percentage points and closed 71 % of its gap"),
        ((0.978, 0.961, 0.985), "did not help here: it cost the light net 1.70 percentage points"),
        ((0.978, 0.978, 0.985), "did not help here: it left the light net where it was"),
        ((0.961, 0.990, 0.985), "level with the booster trained alone or above it"),
        ((0.961, 0.978, 0.950), "the booster trained alone is no better than the base"),
        ((0.961, math.nan, 0.985), "the nets cannot be compared"),
    ],
)
def test_the_summary_says_what_the_numbers_say(numbers, words):
    assert words in " ".join(summary_sentences(digits(*numbers)))


def test_the_summary_names_cost_and_doubt():
    words = " ".join(summary_sentences(digits()))
    assert "5.5 times fewer than the booster" in words
    assert "batch of 200 in 0.0598 ms against 0.402 ms" in words
    assert "one run with seed 3" in words
    assert "intervals of base and light overlap" in words
    assert "intervals of base and light do not overlap" in " ".join(summary_sentences(digits(0.80, 0.97)))
    assert "0.0025 of AUC and closed 66 % of its gap" in " ".join(summary_sentences(adsim()))


def test_latency_note_keeps_different_settings_apart_and_says_when_there_is_none():
    metrics = digits()
    metrics["nets"]["booster"]["latency"]["batch_size"] = 1
    assert "base, light (rocket): batch of 200" in latency_note(metrics)
    assert "booster alone: batch of 1" in latency_note(metrics)
    for numbers in metrics["nets"].values():
        numbers["latency"] = None
    assert latency_note(metrics) == "Latency was not measured."
    assert len(comparison_figure(metrics).axes) == 1


@pytest.mark.parametrize("width", [200, 80])
@pytest.mark.parametrize("metrics", [digits(), adsim()], ids=["accuracy", "ctr"])
def test_print_table_shows_the_same_rows_and_cuts_no_number(metrics, width):
    stream = io.StringIO()
    print_table(metrics, Console(file=stream, width=width))
    printed = stream.getvalue()
    for row in summary_rows(metrics):
        assert all(cell in printed for column, cell in row.items() if column != "net")
        assert all(word in printed for word in row["net"].split())
    assert "…" not in printed
    assert "onnxruntime 1.31.1" in printed


def test_plots_show_each_net_in_its_own_colour_and_the_bayes_line():
    quality, losses = learning_curves_figure(adsim()).axes
    assert len({line.get_color() for line in quality.lines}) == 4
    assert len(losses.lines) == 3
    auc, gauc, times = comparison_figure(adsim()).axes
    assert [text.get_text() for text in auc.texts][-1].strip() == "Bayes optimum 0.8312"
    assert [text.get_text() for text in gauc.texts][1] == "0.7702"
    assert [text.get_text() for text in times.texts][2:] == ["0.402 / 0.523 ms", "not measured"]


def test_a_click_run_without_groups_has_no_gauc():
    metrics = adsim()
    for numbers in metrics["nets"].values():
        del numbers["test"]["gauc"]
    assert "test GAUC" not in summary_rows(metrics)[0]
    assert len(comparison_figure(metrics).axes) == 2


def test_a_run_of_one_epoch_and_a_hint_of_zero_can_be_drawn(tmp_path):
    metrics = digits(epochs=1)
    metrics["history"]["rocket"]["hint_loss"] = [0.0]
    write_report(metrics, tmp_path)
    assert len(Page((tmp_path / "report.html").read_text(encoding="utf-8")).images) == 3


def disturbed(decision="within"):
    """A run with a budget of 0.5 ms, whose booster was measured beside something else and is over the budget."""
    metrics = digits()
    for name, facts in (("base", {}), ("light", {"decision": decision}), ("booster", {"decision": "over"})):
        metrics["nets"][name]["latency"] |= {"budget_ms": 0.5, "decision": "within", "disturbed": False, **facts}
    metrics["nets"]["booster"]["latency"]["disturbed"] = True
    return metrics


def test_a_latency_that_was_disturbed_or_over_the_budget_is_marked_everywhere(tmp_path):
    metrics = disturbed()
    rows = {row["net"]: row for row in summary_rows(metrics)}
    assert rows["booster alone"]["p99 ms"] == "0.523‡†"
    assert rows["light (rocket)"]["p99 ms"] == "0.0777"
    assert "‡ Disturbed: something else ran on the machine" in latency_note(metrics)
    assert "† Over the budget" in latency_note(metrics)
    stream = io.StringIO()
    print_table(metrics, Console(file=stream, width=200))
    assert "0.523‡†" in stream.getvalue()
    assert "‡ Disturbed" in stream.getvalue()
    write_report(metrics, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">0.523‡†</td>" in text
    assert "The latency of booster alone was disturbed" in text
    assert "† Over the budget." in text
    times = comparison_figure(metrics).axes[-1]
    assert "0.402 / 0.523 ms‡†" in [label.get_text() for label in times.texts]
    assert times.get_xlabel().endswith("; ‡ disturbed; † over the budget")


def test_the_text_says_whether_the_light_net_meets_its_budget():
    for decision, words in (("within", "is within"), ("over", "is over"), ("undecided", "may be within or over")):
        text = " ".join(summary_sentences(disturbed(decision)))
        assert f"The light net {words} its budget of 0.5 ms: its p99 was 0.0777 ms." in text
        assert "Over that budget: booster alone." in text
    assert "budget" not in " ".join(summary_sentences(digits()))
    assert "disturbed" not in " ".join(summary_sentences(digits()))
