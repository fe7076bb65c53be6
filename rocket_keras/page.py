"""report.html: one self-contained page for people, light, narrow enough for a phone, and fit for print."""

from html import escape
from typing import Any

from rocket_keras.plots import COLOURS
from rocket_keras.summary import NET_NAMES, format_number, latency_note, summary_rows, summary_sentences

STYLE = """
:root { color-scheme: light; --ink: #1f2937; --soft: #4b5563; --line: #d1d5db; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 3rem; background: #fff; color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
.when, .note, figcaption { color: var(--soft); font-size: .875rem; }
.when { margin: 0 0 1.25rem; }
.summary { font-size: 1.0625rem; max-width: 44rem; margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
thead th { text-align: right; vertical-align: bottom; font-weight: 600; color: var(--soft); }
thead th { border-bottom: 2px solid var(--ink); }
th, td { padding: .45rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; white-space: nowrap; padding-left: .25rem; }
tbody th { font-weight: 400; }
tr.net-light > * { font-weight: 700; background: #eff6fb; }
.dot { display: inline-block; width: .65rem; height: .65rem; margin-right: .5rem; border-radius: 50%; }
.plots { display: grid; gap: 1.5rem; align-items: start; }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1.25rem; margin: 0; }
dl { font-size: .9375rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
@media screen and (max-width: 44rem) {
  body { padding-top: 1.25rem; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody { display: block; }
  tbody tr { display: grid; grid-template-columns: 1fr 1fr; margin-bottom: .75rem; }
  tbody tr { border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
  tbody th { grid-column: 1 / -1; font-weight: 700; padding: .5rem .75rem; }
  td { display: flex; justify-content: space-between; gap: .5rem; border: 0; padding: .2rem .75rem; }
  td::before { content: attr(data-column); color: var(--soft); font-weight: 400; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  figure, table, dl > * { break-inside: avoid; }
  h2 { break-after: avoid; }
  .plots { grid-template-columns: 1fr 1fr; }
  .summary { max-width: none; font-size: 10.5pt; }
  table { font-size: 8pt; }
  td { white-space: nowrap; }
  .dot, tr.net-light > * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
CAPTIONS = {
    "learning_curves": (
        "Learning curves of the four nets and the three loss terms of the rocket, by epoch",
        "Quality on the validation split after each epoch (cut to the range of the later epochs), and the three loss "
        "terms of the rocket on the training split.",
    ),
    "comparison": (
        "Test quality and latency of base, light, booster alone and booster in the rocket",
        "Quality on the test split and latency of the exported net. The numbers are those of the table.",
    ),
    "latency_quality": (
        "Test quality of base, light and booster against the latency of a request, with the budget where there is one",
        "Up is better, left is faster, on a scale of ratios. A net whose bar crosses the budget's line is too slow.",
    ),
}
GLOSSARY = (
    "Base is the light net trained alone. Light and booster in rocket come out of one launch, so they share one "
    "training time; only the light net is served. A dash stands for what was not measured."
)


def report_page(metrics: dict[str, Any], plots: dict[str, str]) -> str:
    """The page as HTML text.

    Args:
        metrics: the content of metrics.json.
        plots: the PNGs in base64, by the names of `CAPTIONS`; what is missing is left out.
    """
    head = f"""<p class="when">{escape(str(metrics["date"]))}</p>
<p class="summary">{escape(" ".join(summary_sentences(metrics)))}</p>
"""
    main = f"""<section aria-labelledby="nets">
<h2 id="nets">Base, light and booster on the test split</h2>
{_table(metrics)}
<p class="note">{escape(latency_note(metrics))} {escape(GLOSSARY)}</p>
</section>
<section aria-labelledby="plots">
<h2 id="plots">Plots</h2>
<div class="plots">
{"".join(html_figure(plots[name], *CAPTIONS[name]) for name in CAPTIONS if name in plots)}</div>
</section>
<section aria-labelledby="done">
<h2 id="done">What was done</h2>
{html_terms(_what_was_done(metrics))}
</section>
"""
    return html_page(f"Rocket launch: {metrics['entry']}", head, main)


def html_page(title: str, head: str, main: str, style: str = STYLE) -> str:
    """A whole page.

    Args:
        title: Plain text.
        head: HTML below the title.
        main: HTML of the sections.
        style: CSS.
    """
    title = escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{head}</header>
<main>
{main}</main>
</body>
</html>
"""


def html_terms(terms: dict[str, str]) -> str:
    """A list of terms; the terms are plain text, what is said of them is HTML."""
    lines = (f"<dt>{escape(term)}</dt><dd>{text}</dd>\n" for term, text in terms.items())
    return f"<dl>\n{''.join(lines)}</dl>"


def html_figure(png: str, alternative: str, caption: str) -> str:
    """A picture from its PNG in base64, with its text for those who cannot see it and its caption, both plain text."""
    return (
        f'<figure><img src="data:image/png;base64,{png}" alt="{escape(alternative)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _table(metrics: dict[str, Any]) -> str:
    rows = summary_rows(metrics)
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in rows[0])
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(map(_row, rows))}</tbody>\n</table>"


def _row(row: dict[str, str]) -> str:
    net = next((name for name, title in NET_NAMES.items() if title == row["net"]), None)
    dot = f'<span class="dot" style="background:{COLOURS[net]}"></span>' if net else ""
    cells = "".join(
        f'<td data-column="{escape(column)}">{escape(text)}</td>' for column, text in row.items() if column != "net"
    )
    return f'<tr class="net-{net or "none"}"><th scope="row">{dot}{escape(row["net"])}</th>{cells}</tr>\n'


def _what_was_done(metrics: dict[str, Any]) -> dict[str, str]:
    """Term to HTML text, escaped here."""
    nets = metrics["nets"]
    seconds = {key: format_number(nets[key]["training_seconds"]) for key in ("base", "booster", "light")}
    training = f"base {seconds['base']} s, booster alone {seconds['booster']} s, rocket {seconds['light']} s"
    return {
        **data_terms(metrics),
        "Recipe": escape(recipe_words(metrics)),
        "Training": training,
        "Seed": escape(str(metrics["seed"])),
        **machine_terms(metrics),
    }


def data_terms(result: dict[str, Any]) -> dict[str, str]:
    """The data set of a run, as term to HTML."""
    data = result["dataset"]
    return {
        "Data set": f"{escape(data['name'])}: {escape(data['source'])}",
        "Rows": escape(", ".join(f"{count:,} {split}" for split, count in data["rows"].items())),
        "Content hash": f"<code>{escape(data['hash'])}</code>",
    }


def machine_terms(result: dict[str, Any]) -> dict[str, str]:
    """Command, backend, device, versions and commit of a run, as term to HTML."""
    commit = result["git_commit"]
    return {
        "Command": f"<code>{escape(result['command'])}</code>",
        "Backend": escape(result["backend"]),
        "Device": escape(result["device"]),
        "Versions": escape(", ".join(f"{name} {version}" for name, version in result["versions"].items())),
        "Commit": f"<code>{escape(commit)}</code>" if commit else "not run from a git checkout",
    }


def recipe_words(result: dict[str, Any]) -> str:
    """The recipe of a run in one line of plain text."""
    return ", ".join(f"{key.replace('_', ' ')} {_word(value)}" for key, value in result["recipe"].items())


def _word(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)
