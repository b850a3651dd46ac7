"""What the pages about a study look like beyond what all reports have in common."""

from __future__ import annotations

STYLE = """
nav { font-size: 14px; margin: 10px 0; display: flex; flex-wrap: wrap; gap: 4px 18px; } h2 + table, h2 + .chart { margin-top: 10px; }
td.number, time, .whole { white-space: nowrap; }
td small { color: var(--faint); font-size: 12.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 10px; margin: 16px 0; }
.tile { background: #fff; border: 1px solid var(--line); border-top: 4px solid var(--line); border-radius: 6px; padding: 9px 14px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--faint); font-size: 13px; }
.tile.FOUND { border-top-color: var(--found); } .tile.DOUBTFUL { border-top-color: var(--doubtful); }
.tile.MISSING, .tile.failed { border-top-color: var(--missing); } .tile.running { border-top-color: var(--decided); }
.badge.failed { background: var(--missing); } .badge.running { background: var(--decided); }
.badge.done { background: none; color: var(--found); border: 1px solid var(--found); }
.badge.queued, .badge.skipped { background: none; color: var(--faint); border: 1px solid var(--faint); }
.chart { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; margin: 12px 0; }
.chart svg { display: block; width: 100%; max-width: 860px; height: auto; margin: 0 auto; }
.chart svg * { stroke-linejoin: round; stroke-linecap: butt; }
.chart text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important; }
.facts { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; margin: 12px 0; }
.facts dd { white-space: normal; overflow-wrap: anywhere; }
article { scroll-margin-top: 14px; } article:target { outline: 3px solid var(--decided); outline-offset: 2px; }
@media print { nav { display: none; } .tile b { font-size: 18px; } .tile { padding: 4px 8px; } .tile span { font-size: 10px; }
  td small { font-size: 10px; } .chart { padding: 4px 8px; } .chart svg { max-width: 600px; } .facts { font-size: 11px; } }
"""
