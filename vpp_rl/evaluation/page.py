"""The sheet of paper of a report: its frame, its type and colours, and the script that draws.

Everything is inside the one file. The content-security policy in its head forbids the browser to
load anything from anywhere, so that the page cannot call home even by mistake.
"""

import html
import json
from collections.abc import Mapping
from string import Template

from vpp_envs.errors import InputError
from vpp_rl.evaluation.figures import Figure

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';
 img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
<script>$library</script>
<script>$drawing</script>
</body>
</html>
""")

_STYLE = """
:root { --paper: #ffffff; --panel: #f5f6f8; --ink: #1b2026; --soft: #58626e; --line: #dde1e6;
  --accent: #0072B2; --mark: #eaf3fa; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --panel: #1d2227; --ink: #e7eaee;
  --soft: #a3adb8; --line: #343b43; --accent: #56B4E9; --mark: #16293a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 90rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
a { color: var(--accent); }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 .25rem; }
p { margin: .4rem 0; max-width: 46rem; }
figcaption, .soft { max-width: 60rem; }
.soft, figcaption { color: var(--soft); font-size: .92rem; }
.verdict { font-size: clamp(1.08rem, 2.4vw, 1.3rem); line-height: 1.5; max-width: 52rem;
  margin: 1.6rem 0 1.2rem; padding-left: 1rem; border-left: 4px solid var(--accent); }
.notes { background: var(--panel); border-radius: 8px; padding: .7rem 1rem .7rem 2.2rem;
  margin: 1rem 0; max-width: 52rem; font-size: .95rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem;
  margin: 1.2rem 0; }
.tile { background: var(--panel); border-radius: 10px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.65rem; font-weight: 650; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .88rem; display: block; line-height: 1.35; }
.bad, .bad b { color: var(--bad); }
.wide { overflow-x: auto; margin: .8rem 0; border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: .84rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .42rem; text-align: right; vertical-align: top; white-space: nowrap; }
thead th { vertical-align: bottom; white-space: normal; min-width: 4.1rem; font-weight: 600;
  color: var(--soft); border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper);
  white-space: normal; min-width: 7.4rem; }
tr.best > * { background: var(--mark) !important; }
td small, th small { display: block; color: var(--soft); font-weight: 400; font-size: .77rem; }
figure { margin: .6rem 0 0; }
figcaption i { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin: 0 .15em 0 .3em; }
.plot { width: 100%; }
dl { display: grid; grid-template-columns: minmax(9rem, 15rem) 1fr; gap: .45rem 1.2rem;
  font-size: .93rem; margin: .8rem 0; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); }
details { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .8rem; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--panel); border-radius: 8px; padding: .7rem .9rem; overflow-x: auto;
  font-size: .8rem; line-height: 1.45; margin: .3rem 0; }
@media (max-width: 40rem) { main { padding: 1.5rem .9rem 3rem; }
  dl { grid-template-columns: 1fr; gap: .1rem; } dd { margin-bottom: .6rem; } }
"""

# Text and grid follow the page's colours, also when the reader's screen turns dark.
_DRAWING = """
(() => {
  const plots = [...document.querySelectorAll('.plot')];
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const family = getComputedStyle(document.body).fontFamily;
  function themed(figure) {
    const ink = colour('--ink'), soft = colour('--soft'), line = colour('--line');
    const layout = Object.assign({}, figure.layout, {
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
      font: {family: family, size: 13, color: ink},
      dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom',
      hoverlabel: {bgcolor: colour('--panel'), bordercolor: line, font: {color: ink}},
    });
    for (const key of Object.keys(layout).filter(key => /^[xy]axis/.test(key)))
      layout[key] = Object.assign({}, layout[key],
        {gridcolor: line, zerolinecolor: soft, linecolor: line, tickfont: {color: soft}});
    const data = figure.data.map(trace => trace.meta !== 'ink' ? trace : Object.assign({}, trace,
      trace.type === 'bar' ? {error_x: Object.assign({}, trace.error_x, {color: ink})}
                           : {line: Object.assign({}, trace.line, {color: ink})}));
    return [data, layout, {responsive: true, displayModeBar: false}];
  }
  function draw() {
    for (const plot of plots) {
      const figure = JSON.parse(document.getElementById(plot.id + '-data').textContent);
      Plotly.react(plot, ...themed(figure));
    }
  }
  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
})();
"""


def render_page(title: str, body: str) -> str:
    """Put a body into the page with its style, the plotting library and the script that draws.

    Args:
        title: Words for the window's frame, escaped here.
        body: HTML.

    Raises:
        InputError: The plotting library is not installed.
    """
    return _PAGE.substitute(
        title=html.escape(title),
        style=_STYLE,
        body=body,
        library=_plotting_library(),
        drawing=_DRAWING,
    )


def render_figure(name: str, figure: Figure, caption: str) -> str:
    """Place a figure: an empty box, its data beside it, and a sentence that also says it aloud.

    Args:
        name: Unique name on the page, letters only.
        figure: A Plotly figure.
        caption: One sentence, HTML.
    """
    # "</script>" in a policy's name would end the data early: no "<" survives.
    data = json.dumps(figure, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure role="group" aria-labelledby="{name}-caption">'
        f'<figcaption id="{name}-caption">{caption}</figcaption>'
        f'<div class="plot" id="{name}"></div>'
        f'<script type="application/json" id="{name}-data">{data}</script></figure>'
    )


def render_definitions(meanings: Mapping[str, str]) -> str:
    """List words and what they mean.

    Args:
        meanings: Word to sentence, plain text.
    """
    pairs = (
        f"<dt>{html.escape(word)}</dt><dd>{html.escape(sentence)}</dd>"
        for word, sentence in meanings.items()
    )
    return f"<dl>{''.join(pairs)}</dl>"


def _plotting_library() -> str:
    """The whole script of Plotly, which the reader's browser runs without a network."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise InputError(
            "report: the package 'plotly' is not installed; expected the extra 'train', so run "
            "pip install 'vpp-rl[train]'"
        ) from error
    return str(get_plotlyjs())
