"""The page's style sheet: dark and light as the reader's system has it, and printable."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60676f; --line: #d5dae0;
  --paper: #ffffff; --box: #f4f6f8; --error: #b3261e; --warning: #8a5a00; --info: #0b5cad;
  --good: #17703a; --mark: #0b5cad; --mark2: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa3ac; --line: #3a4148;
  --paper: #14171a; --box: #1e2327; --error: #ff8a80; --warning: #f3c05b; --info: #82b8ff;
  --good: #7bd89b; --mark: #82b8ff; --mark2: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 62rem; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; }
.verdict { font-weight: 700; } .accepted { color: var(--good); } .refused { color: var(--error); }
.soft, figcaption, dt { color: var(--soft); } code { font-size: .93em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dd { margin: 0; }
.problem { border-left: 4px solid; padding: .5rem .9rem; margin: .6rem 0; background: var(--box);
  break-inside: avoid; }
.problem p { margin: .2rem 0; }
.error { border-color: var(--error); } .warning { border-color: var(--warning); }
.info { border-color: var(--info); }
.error h3 { color: var(--error); } .warning h3 { color: var(--warning); }
.info h3 { color: var(--info); }
ul { margin: .2rem 0; padding-left: 1.3rem; }
figure { margin: 0; break-inside: avoid; } figcaption { font-size: .85rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-family: system-ui, sans-serif; }
.grid { stroke: var(--line); } .wall { stroke: var(--soft); }
.momentary { stroke: var(--line); } .short { stroke: var(--mark); }
.level { stroke: var(--mark2); } .bar { fill: var(--mark); } .hot { fill: var(--mark2); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.objects { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
.objects .pair { gap: .4rem; }
@media print { body { padding: 0; max-width: none; font-size: 11px; }
  .problem { background: none; } }
"""
