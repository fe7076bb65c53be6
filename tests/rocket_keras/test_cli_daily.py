import json
from pathlib import Path

import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, NumberField
from zoo.data import drift


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    pytest.importorskip("pyarrow")
    return drift.write(tmp_path_factory.mktemp("drift") / "log", days=2, rows=600)


@pytest.fixture
def daily(command_line, log):
    def run(*arguments):
        sizes = ("--light", "8", "--booster", "16,8", "--dim", "4", "--batch-size", "128", "--user", "user_id,age")
        return command_line("daily", "--log", str(log / "day=*" / "*.parquet"), *sizes, *arguments)

    return run


def test_days_are_told_published_and_reported(daily, tmp_path):
    status, out, _ = daily("--group", "user_id", "--out", "run")
    assert status == 0
    folder = tmp_path / "run"
    lines = out.strip().splitlines()
    assert lines[0].split()[:2] == ["day", "rows"]
    assert [line.split()[0] for line in lines[1:3]] == ["01", "02"]
    records = json.loads((folder / "days.json").read_text())
    assert f"{records[1]['scores']['light']['auc']:.4f}" in lines[2]
    page = (folder / "report.html").read_text()
    assert "Daily training, 2 days" in page
    assert page.count("<tr>") == 1 + 2
    assert (folder / "days.png").stat().st_size > 10_000
    import rocket_keras as rk

    scorer = rk.Scorer(folder / "published" / "light.onnx")
    assert {name: column.place for name, column in scorer.columns.items()}["user_id"] == "user"
    # The second call has nothing left to do, and says what there is.
    status, out, _ = daily("--group", "user_id", "--out", "run", "--json")
    assert status == 0
    assert json.loads(out) == records


@pytest.fixture
def criteo_like(tmp_path):
    """A log as Criteo's is, text with tabs and no header, with a file of its fields: arguments of the command."""
    for day in (1, 2):
        path = tmp_path / "log" / f"day={day}" / "part.txt"
        path.parent.mkdir(parents=True)
        lines = [f"{row // 3 % 2}\t{row}\tc{row % 7}" for row in range(300)]
        path.write_text("\n".join([*lines, *["0\t1"] * (day == 2)]) + "\n")
    fields = Encoder((NumberField("i1", "I1", 0.0, 1.0), IdField("c1", "C1", ())))
    (tmp_path / "fields.json").write_text(fields.to_json())
    return ("daily", "--log", "log", "--fields", "fields.json", "--label", "label", "--method", "base", "--dim", "4",
            "--light", "8", "--batch-size", "64", "--columns", "label,I1,C1", "--margin", "1",
            "--out", "run")  # fmt: skip


def test_text_without_a_header_with_rows_that_do_not_parse(command_line, criteo_like, tmp_path):
    status, out, err = command_line(*criteo_like, "--bad-share", "0.001")
    assert status == 2
    assert "expected rows that parse but for 0.10% of them, received 1 bad ones in the first 301" in err
    assert err.strip().splitlines()[-1].startswith("rocket-keras: ")
    status, out, _ = command_line(*criteo_like, "--bad-share", "0.01", "--keep-files", "1", "--format", "tsv")
    assert status == 0
    assert "rows that do not parse: 1" in out
    first, second = json.loads((tmp_path / "run" / "days.json").read_text())
    assert (first["log"]["bad"], second["log"]["bad"]) == (0, 1)
    assert "rows that do not parse: 1" in (tmp_path / "run" / "report.html").read_text()
    assert second["publication"]["published"]
    assert {path.name for path in (tmp_path / "run" / "published").iterdir()} == {"light.onnx", "day-2.onnx"}


def test_nulls_count_as_a_text_where_one_is_named(command_line, tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "log" / "day=1" / "part.parquet"
    path.parent.mkdir(parents=True)
    columns = {"click": [row // 3 % 2 for row in range(300)], "ad": [f"a{row % 7}" for row in range(300)]}
    columns["ad"][:5] = [None] * 5
    parquet.write_table(arrow.table(columns), path)
    arguments = ("daily", "--log", "log", "--method", "base", "--light", "8", "--batch-size", "64", "--json")
    status, _, err = command_line(*arguments)
    assert status == 2
    assert "received 5 bad ones in the first 300" in err
    status, out, _ = command_line(*arguments, "--missing", "")
    assert status == 0
    assert json.loads(out)[0]["log"]["bad"] == 0


def test_days_without_a_click_publish_nothing_and_say_what_serves(command_line, tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    arguments = ("daily", "--log", "log", "--method", "base", "--light", "8", "--batch-size", "64", "--margin", "1")

    def day(name, clicks):
        path = tmp_path / "log" / f"day={name}" / "part.parquet"
        path.parent.mkdir(parents=True)
        columns = {"click": [clicks and row // 3 % 2 for row in range(300)], "ad": [f"a{r % 7}" for r in range(300)]}
        parquet.write_table(arrow.table(columns), path)
        return command_line(*arguments)

    served = f"Serves: {Path('runs/daily/published/light.onnx')}, of day 2"
    why = "not published: the day cannot judge the net: its held-out rows are all clicked or all not clicked"
    for name, clicks, last in ((1, 0, "Serves: nothing, as no net was published yet"), (2, 1, served), (3, 0, served)):
        status, out, _ = day(name, clicks)
        assert status == 0
        assert out.strip().splitlines()[-1] == last
        assert (why in out) == (not clicks)
        assert "nan" not in out.lower()
    status, out, _ = command_line(*arguments, "--json")
    records = json.loads(out, parse_constant=pytest.fail)  # NaN is no JSON
    assert [record["serves"] for record in records] == [None, "2", "2"]
    assert [record["scores"].get("light", {}).get("auc", 0) is None for record in records] == [False, False, True]
    page = (tmp_path / "runs/daily/report.html").read_text()
    assert "Mean over the days of the light net: auc 0." in page


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--light", "8,x"), "expected widths as whole numbers with commas between, as in 32,16; received '8,x'"),
        (("--method", "kd"), "expected `method` to be one of"),
        (("--label", "clicked"), "expected a column 'clicked', received"),
        (("--by", "week"), "expected one of ['day'], received 'week'"),
        (("--log", "nothing/*.parquet"), "nothing/*.parquet"),
    ],
)
def test_what_cannot_be_is_one_line(daily, arguments, line):
    status, _, err = daily(*arguments, "--out", "refused")
    assert status == 2
    assert line in err
    assert err.strip().splitlines()[-1].startswith("rocket-keras: ")
