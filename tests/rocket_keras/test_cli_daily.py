import json

import pytest

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
