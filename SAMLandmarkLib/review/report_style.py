"""The look of the report: one style sheet and one drawing, both inside the page."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --ink: #1b2230; --faint: #5b6678; --line: #dbe0e8; --page: #f4f6f9;
  --found: #1d7d3f; --doubtful: #a65b00; --missing: #b3261e; --decided: #2a5fa8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 27px; margin: 0 0 4px; } h2 { font-size: 21px; margin: 40px 0 4px; } h3 { font-size: 17px; margin: 0; }
p { margin: 4px 0; } .faint { color: var(--faint); } .small { font-size: 13px; }
table { border-collapse: collapse; background: #fff; width: 100%; margin: 14px 0; }
th, td { text-align: left; padding: 7px 12px; border: 1px solid var(--line); vertical-align: top; }
th { background: #e9edf3; font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.log { font-size: 13px; } .log td:not(:nth-child(3)) { white-space: nowrap; }
a { color: var(--decided); }
.card { background: #fff; border: 1px solid var(--line); border-left: 6px solid var(--line); border-radius: 6px;
  margin: 14px 0; padding: 14px 16px; display: grid; grid-template-columns: auto 1fr; gap: 6px 22px; break-inside: avoid; }
.card.FOUND { border-left-color: var(--found); } .card.DOUBTFUL { border-left-color: var(--doubtful); }
.card.MISSING { border-left-color: var(--missing); }
.card.ACCEPTED, .card.CORRECTED, .card.REJECTED, .card.SET_MISSING { border-left-color: var(--decided); }
.card header { grid-column: 1 / -1; display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; }
.badge { font-weight: 600; font-size: 13px; padding: 1px 9px; border-radius: 10px; color: #fff; white-space: nowrap; }
.badge.FOUND { background: var(--found); } .badge.DOUBTFUL { background: var(--doubtful); }
.badge.MISSING { background: var(--missing); } .badge.decision { background: var(--decided); }
.badge.OPEN { background: none; color: var(--faint); border: 1px solid var(--line); }
.crops { display: grid; grid-template-columns: repeat(4, 200px); gap: 6px; }
figure { margin: 0; } figcaption { font-size: 12px; color: var(--faint); padding-top: 2px; }
.crop { position: relative; width: 200px; height: 200px; background: #2c2c2c; color: #c8cfda; display: flex;
  align-items: center; justify-content: center; text-align: center; font-size: 13px; padding: 14px; overflow: hidden; }
.crop img, .crop svg { position: absolute; inset: 0; width: 100%; height: 100%; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0; font-size: 13px; align-content: start; }
.fact { display: contents; } dt { color: var(--faint); }
dd { margin: 0; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 1100px) { .card { grid-template-columns: 1fr; } .crops { grid-template-columns: repeat(2, 200px); } }
@media screen and (max-width: 900px) { main { padding: 16px 12px 40px; } table { display: block; overflow-x: auto; } }
@page { size: A4; margin: 14mm 12mm 12mm; font: 9px sans-serif; color: #5b6678;
  @bottom-right { content: counter(page) " / " counter(pages); } }
@media print { body { background: #fff; font-size: 11px; line-height: 1.35; } main { padding: 0; max-width: none; }
  h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 22px; } h3 { font-size: 13px; }
  h2, h3, h2 + p, figcaption { break-after: avoid; } tr, figure, .chart, .tiles { break-inside: avoid; }
  thead { display: table-header-group; } th, td { padding: 3px 7px; } a { color: inherit; text-decoration: none; }
  .card { border-radius: 0; grid-template-columns: 1fr; gap: 3px; margin: 5px 0; padding: 5px 8px; }
  .crops { grid-template-columns: repeat(4, 1fr); max-width: 640px; } .crop { width: 100%; height: auto; aspect-ratio: 1; font-size: 10px; }
  .badge, figcaption { font-size: 10px; } .card dl { display: flex; flex-wrap: wrap; gap: 0 18px; font-size: 10.5px; }
  .fact { display: flex; gap: 5px; } * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""

# Crosshairs that leave the point itself free, with the letters of the sides; drawn once, used at every crop.
SYMBOLS = """<svg width="0" height="0" style="position:absolute"><defs>
<g id="cross"><path d="M100 62V90M100 110V138M62 100H90M110 100H138" stroke="#000" stroke-opacity=".65" stroke-width="3.4"/>
<path d="M100 62V90M100 110V138M62 100H90M110 100H138" stroke="#35d6e6" stroke-width="1.4"/></g>
<g id="sides" font-family="sans-serif" font-size="12" font-weight="700" fill="#f2f4f7" stroke="#000" stroke-width="2.6"
 paint-order="stroke" text-anchor="middle"><text x="9" y="104">R</text><text x="191" y="104">L</text></g>
<g id="axial"><use href="#cross"/><use href="#sides"/><g font-family="sans-serif" font-size="12" font-weight="700"
 fill="#f2f4f7" stroke="#000" stroke-width="2.6" paint-order="stroke" text-anchor="middle"><text x="100" y="14">A</text>
<text x="100" y="195">P</text></g></g>
<g id="coronal"><use href="#cross"/><use href="#sides"/><g font-family="sans-serif" font-size="12" font-weight="700"
 fill="#f2f4f7" stroke="#000" stroke-width="2.6" paint-order="stroke" text-anchor="middle"><text x="100" y="14">S</text>
<text x="100" y="195">I</text></g></g></defs></svg>"""
