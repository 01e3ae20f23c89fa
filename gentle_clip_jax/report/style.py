"""The report's style sheet: light and dark, wide and narrow, on paper."""

CSS = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1d22; --muted: #626873; --line: #e2e4e9;
  --card: #f7f8fa; --right: #0b7a4b; --right-card: #e8f5ee; --doubt: #9a6700; --wrong: #b42318;
  --series-0: #1f5fd0; --series-1: #c2540a; --series-2: #7a4fb5; --series-3: #4d7c0f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #e9eaee; --muted: #9da3af;
  --line: #2d3139; --card: #1c1f25; --right: #4cc38a; --right-card: #16291f;
  --doubt: #e0b84d; --wrong: #ff8a7a;
  --series-0: #7aa7ff; --series-1: #f39a4e; --series-2: #b99af0; --series-3: #9ccc52; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 70rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
p { margin: .5rem 0; max-width: 46rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; }
h1 { font-size: 1rem; font-weight: 600; color: var(--muted); }
h2 { font-size: 1.35rem; margin: 3.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .75rem; }
h4 { font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
.kicker { margin: 0; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase;
  color: var(--series-0); font-weight: 600; }
.verdict { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; font-weight: 650;
  letter-spacing: -.01em; margin: 1rem 0 .5rem; max-width: 54rem; text-wrap: balance; }
.note, small, figcaption span, .rank, .wanted { color: var(--muted); font-size: .85rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
code, pre { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0 0 1rem; padding: .75rem 1rem; background: var(--card); border-radius: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
ul, ol { list-style: none; margin: 0; padding: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem 1.75rem .45rem 0; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--muted); font-size: .85rem; font-weight: 500; }
tbody th { font-weight: 500; }
.results { width: 100%; --bar: var(--series-0); }
.results tbody th { width: 20rem; }
.results td:nth-child(3) { --bar: var(--series-1); }
.results td:nth-child(4) { --bar: var(--series-2); }
.results td:nth-child(5) { --bar: var(--series-3); }
.results td span { font-size: 1.1rem; }
.results strong { font-weight: 700; border-bottom: 2px solid currentColor; }
.results .none { color: var(--muted); }
.results small { white-space: nowrap; }
.strip { display: block; position: relative; height: 4px; margin-top: .3rem; max-width: 13rem;
  border-radius: 2px; background: var(--line); }
.strip::before { content: ""; position: absolute; inset: 0 calc(100% - var(--high)) 0 var(--low);
  border-radius: 2px; background: var(--bar); opacity: .45; }
.strip::after { content: ""; position: absolute; top: -3px; left: calc(var(--mid) - 1.5px);
  width: 3px; height: 10px; border-radius: 1.5px; background: var(--bar); }
.keys { font-size: .875rem; }
.keys th[scope=row] { color: var(--muted); font-weight: 400; }
.keys td { overflow-wrap: anywhere; }
summary { cursor: pointer; margin: 1.5rem 0 .75rem; font-weight: 600; }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 .75rem; justify-content: space-between;
  align-items: baseline; font-size: .9rem; }
figcaption b { font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit !important; }
.panels { display: grid; gap: 1.5rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(13rem, 100%), 1fr)); }
.maps, .columns { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.columns h3 { margin-top: .25rem; }
.map { margin-top: .5rem; background: var(--card); border-radius: 8px; }
.map .x { fill: var(--series-0); }
.map .y { fill: var(--series-1); }
.map .loose { fill-opacity: .45; }
.map .ties { stroke: var(--ink); stroke-width: .8; stroke-opacity: .6; pointer-events: none; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .5rem 0; font-size: .9rem; }
.legend i { display: inline-block; margin-right: .5rem; vertical-align: middle; }
.dot { width: 10px; height: 10px; }
.dot.x { border-radius: 50%; background: var(--series-0); }
.dot.y { transform: rotate(45deg) scale(.85); background: var(--series-1); }
.tie { width: 22px; border-top: 1.5px solid var(--ink); opacity: .7; }
.key { width: 26px; border-top: 3px solid var(--series-0); }
.key-1 { border-top: 3px dashed var(--series-1); }
.key-2 { border-top: 3px dotted var(--series-2); }
.key-3 { border-top: 3px dashed var(--series-3); }
.cards { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.card { padding: .75rem .9rem .9rem; background: var(--card); border-radius: 10px; min-width: 0; }
.card header { display: flex; gap: .6rem; align-items: center; min-height: 2rem; }
.wanted { margin-left: auto; display: flex; gap: .4rem; align-items: center; white-space: nowrap; }
.wanted .glyph { width: 24px; }
.rank { white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: .4rem;
  margin-top: .6rem; }
.tiles li { position: relative; display: grid; place-content: start center; justify-items: center;
  gap: .15rem; padding: .5rem .15rem .3rem; border-radius: 8px; background: var(--paper);
  border: 1px solid var(--line); }
.tiles small { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; overflow-wrap: anywhere; hyphens: auto; text-align: center; font-size: .66rem;
  line-height: 1.25; }
.tiles .right { border: 2px solid var(--right); background: var(--right-card); }
.tiles .tick { position: absolute; top: -.5rem; right: -.35rem; }
.tick { display: inline-grid; place-items: center; width: 1.15rem; height: 1.15rem;
  border-radius: 50%; background: var(--right); color: var(--paper); font-size: .75rem;
  line-height: 1; }
.glyph { width: 34px; height: auto; aspect-ratio: 1; }
@media (prefers-color-scheme: dark) { .glyph { filter: invert(1); } }
.pair { display: grid; grid-template-columns: auto 1fr; gap: 1rem; }
.pair .query { align-self: start; padding: .6rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; }
.pair .query .glyph { width: 48px; display: block; }
.names { counter-reset: rank; font-size: .9rem; }
.names li { counter-increment: rank; position: relative; padding-left: 1.2rem; }
.names li::before { content: counter(rank); position: absolute; left: 0; color: var(--muted); }
.names .right { font-weight: 700; }
.names .tick { margin-left: .4rem; }
.finding .level { display: inline-block; width: 1.5rem; color: var(--muted); }
.finding.good .level { color: var(--right); }
.finding.warning .level { color: var(--doubt); }
.finding.bad .level { color: var(--wrong); }
.wide { margin: 1.5rem 0; }
.wide svg { max-width: 60rem; background: #fff; border-radius: 8px; }
.now { margin-top: 3.25rem; border-top: 1px solid var(--line); }
.now h2 { margin-top: 1.5rem; }
.now pre { margin-top: .25rem; max-width: 46rem; }
@media (max-width: 34rem) { body { padding-top: 1.5rem; } th, td { padding-right: .9rem; }
  .results small { display: block; } }
@media print { body { max-width: none; padding: 0; } .card, figure { break-inside: avoid; } }
"""
