"""docs/methods.md says of every method what it is, and which entries cannot run it."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocket_keras.methods import METHODS, get_method
from zoo.entries import ENTRIES

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^##|\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
WITH_SHORT_NAMES = [entry for entry in ENTRIES if entry.short]


def table(header):
    """The cells of the page's table that begins with this header."""
    body = PAGE.partition(f"{header}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()[1:]]


@pytest.mark.docs
def test_the_table_is_that_of_the_code():
    assert table("| name | title | paper |") == [[f"`{m.name}`", m.title, m.paper] for m in METHODS]


@pytest.mark.docs
def test_every_method_has_one_section_and_no_other_has():
    headings = re.findall(r"^### `(.+?)`$", PAGE, flags=re.MULTILINE)
    assert sorted(headings) == sorted(method.name for method in METHODS)
    assert [name for name, text in SECTIONS.items() if len(text.split()) < 10] == []


@pytest.mark.docs
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_section_has_its_temperature_and_label_weight(method):
    """Where a section has an equation of its own, the numbers in it are those of the stages."""
    equation = "".join(re.findall(r"^> (.+)$", SECTIONS[method.name], flags=re.MULTILINE))
    temperatures = {
        str(made.temperature).removesuffix(".0")
        for stage in method.stages
        for term in stage.hints
        if term.hint is not None and term.taps is None and hasattr(made := term.hint(), "temperature")
    }
    for temperature in temperatures if equation else ():
        assert temperature == "1" or f"T = {temperature}" in equation
    weights = {stage.labels for stage in method.stages if isinstance(stage.labels, float) and 0 < stage.labels < 1}
    assert all(f"{weight:g} CE(*y*, *l*)" in equation for weight in weights)


@pytest.mark.docs
@pytest.mark.parametrize("entry", WITH_SHORT_NAMES, ids=lambda entry: entry.short)
def test_what_is_said_to_be_skipped_is_skipped_and_nothing_else(entry):
    # What `lacks` asks of a plan, without loading the data: entries with maps are those of images.
    plan = SimpleNamespace(
        variants={"own": {}, **entry.variants},
        taps=entry.taps,
        maps=entry.maps,
        data=SimpleNamespace(num_classes=10 if entry.maps else 2),
    )
    said = set()
    for methods, entries, _ in table("| methods | skipped on | why |"):
        if f"`{entry.short}`" in entries.split(", "):
            said |= {get_method(name.strip("`")).name for name in methods.split(", ")}
    assert said == {method.name for method in METHODS if method.lacks(plan)}
