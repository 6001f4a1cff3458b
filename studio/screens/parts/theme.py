"""How the studio looks: paper, ink and the colours of its city maps."""

from __future__ import annotations

import gradio as gr

TERRACOTTA = gr.themes.Color(
    name="terracotta",
    c50="#fbf1eb",
    c100="#f5dfd3",
    c200="#ecc4b0",
    c300="#e0a386",
    c400="#d07f5d",
    c500="#b5573d",
    c600="#a04a33",
    c700="#863d2b",
    c800="#6a3124",
    c900="#4f261e",
    c950="#321813",
)
PAPER = gr.themes.Color(
    name="paper",
    c50="#fffdf8",
    c100="#faf5ea",
    c200="#f1e8d6",
    c300="#e2d5bd",
    c400="#b3a290",
    c500="#85746d",
    c600="#665459",
    c700="#493941",
    c800="#33262d",
    c900="#271d23",
    c950="#1d151a",
)

# A file that Gradio brings along, in the weights that are whole: its semi-bold lacks most letters.
PLEX = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))


def studio_theme() -> gr.themes.Base:
    """Cream ground, terracotta accent, plum ink; the fonts are files that Gradio brings along."""
    theme = gr.themes.Base(
        primary_hue=TERRACOTTA,
        secondary_hue=TERRACOTTA,
        neutral_hue=PAPER,
        font=(PLEX, "ui-sans-serif", "system-ui", "sans-serif"),
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_md,
        radius_size=gr.themes.sizes.radius_md,
    )
    return theme.set(
        body_background_fill="#f7f0e2",
        body_background_fill_dark="*neutral_950",
        body_text_color="#3a2530",
        body_text_color_dark="#eee3d5",
        body_text_color_subdued="#7a6861",
        body_text_color_subdued_dark="#b3a29a",
        background_fill_primary="#fffdf8",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="#faf5ea",
        background_fill_secondary_dark="*neutral_800",
        block_background_fill="#fffdf8",
        block_background_fill_dark="*neutral_900",
        block_border_color="#e9dec8",
        block_border_color_dark="*neutral_700",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        block_title_text_color="#59434c",
        block_title_text_color_dark="#d8c9bd",
        block_info_text_color="#7a6861",
        block_info_text_color_dark="#b3a29a",
        block_shadow="none",
        block_padding="10px 12px",
        layout_gap="12px",
        border_color_primary="#e2d5bd",
        border_color_primary_dark="*neutral_700",
        input_background_fill="#fdf9f0",
        input_background_fill_dark="*neutral_800",
        input_border_color="#dccfb6",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_400",
        slider_color="*primary_500",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="#fffdf8",
        button_primary_border_color="*primary_600",
        button_secondary_background_fill="#f4ead8",
        button_secondary_background_fill_hover="#ecdfc8",
        button_secondary_background_fill_dark="*neutral_700",
        button_secondary_background_fill_hover_dark="*neutral_600",
        button_secondary_text_color="#4a3540",
        button_secondary_text_color_dark="#eee3d5",
        button_secondary_border_color="#dccfb6",
        button_secondary_border_color_dark="*neutral_600",
        button_large_padding="8px 14px",
        button_large_text_size="*text_md",
        button_large_text_weight="600",
    )


CSS = """
:root {
  --ink: #3a2530; --quiet: #7a6861; --line: #e6dac4; --card: #fffdf8; --sunk: #f7f0e2;
  --accent: #b5573d; --plum: #7d3340; --water: #3f7d97; --green: #5f8a52; --ochre: #b07a2a;
}
.dark {
  --ink: #eee3d5; --quiet: #b3a29a; --line: #45363e; --card: #271d23; --sunk: #1d151a;
  --accent: #d9795a; --plum: #d98a95; --water: #7db6cc; --green: #9cc48d; --ochre: #dcae62;
}
footer { display: none !important; }
.gradio-container .prose, .gradio-container .html-container { color: var(--ink); }
.gradio-container .prose > :last-child { margin-bottom: 0; }

.gradio-container > main { padding: 0 !important; max-width: 1600px !important; }
.gradio-container > main > .wrap { padding: 0 !important; }
.gradio-container main.contain { padding: 14px 28px 28px !important; }
.html-container { padding: 0 !important; }
#head { align-items: center; gap: 18px; }
#head .brand { display: flex; align-items: baseline; gap: 12px; }
#head .brand b { font: 700 21px/1.2 var(--font); letter-spacing: -.01em; color: var(--ink); }
#head .brand i { font-style: normal; color: var(--quiet); font-size: 13px; }
#head .form { border: 0; background: transparent; justify-content: flex-end; }
#head #run { flex: 0 1 330px !important; margin: 0 0 0 auto !important; padding: 0; border: 0;
  background: transparent; overflow: visible !important; }
#head #run .container { display: flex; align-items: center; gap: 12px; }
#head #run .container > span { margin: 0; }
#head #run .container > div { flex: 1; background: var(--card); }

.tab-container button { font-size: 15px; color: var(--quiet); padding: 0 14px; }
.tab-container button.selected { color: var(--accent); font-weight: 600; }
.tabitem { border: 0 !important; padding: 0 !important; background: transparent !important; }
button:focus-visible, [tabindex]:focus-visible, summary:focus-visible, a:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}

.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; }
.card h3 { font: 700 15px/1.3 var(--font); color: var(--ink); margin: 0 0 8px; }
.gradio-container .card p { margin: 8px 0 0; }
.quiet { color: var(--quiet); } .small { font-size: 12px; }
.number { font-variant-numeric: tabular-nums; }
.line { display: flex; gap: 10px; align-items: center; flex-wrap: wrap; }
.line .push { margin-left: auto; }
.credit { color: var(--quiet); font-size: 11.5px; margin-top: 8px; }

.empty { border: 1px dashed var(--line); border-radius: 12px; padding: 48px 24px;
  text-align: center; color: var(--quiet); background: var(--card); }
.empty b { display: block; font: 700 17px/1.4 var(--font); color: var(--ink); margin-bottom: 6px; }
.empty p { margin: 0 auto; max-width: 46em; }

.badge { display: inline-block; padding: 1px 9px; border-radius: 99px; font-size: 12px;
  font-weight: 600; color: var(--quiet); border: 1px solid currentColor; white-space: nowrap; }
.badge.training, .badge.running, .badge.queued, .badge.changed { color: var(--water); }
.badge.finished, .badge.done { color: var(--green); }
.badge.failed, .badge.damaged, .badge.rolled_back { color: var(--plum); }
.badge.interrupted, .badge.paused { color: var(--ochre); }
.badge.alarm { color: var(--card); background: var(--plum); border-color: var(--plum); }

.bar { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
.bar > div { height: 100%; background: var(--accent); border-radius: 3px;
  transition: width .6s ease; }

.plain { font: inherit; font-size: 13px; font-weight: 600; padding: 4px 12px; cursor: pointer;
  border-radius: 7px; border: 1px solid var(--line); background: var(--sunk); color: var(--ink); }
.plain:hover { border-color: var(--accent); color: var(--accent); }
.plain.quiet-button { border-color: transparent; background: transparent; padding: 4px 6px;
  color: var(--quiet); font-weight: 500; }
.plain.quiet-button:hover { color: var(--accent); }
.field { font: inherit; font-size: 13px; width: 92px; padding: 3px 8px; border-radius: 7px;
  border: 1px solid var(--line); background: var(--sunk); color: var(--ink); }

.command { display: flex; align-items: center; gap: 8px; padding: 5px 6px 5px 10px;
  border-radius: 8px; background: var(--sunk); border: 1px solid var(--line); }
.command code { flex: 1; font-size: 11.5px; line-height: 1.5; color: var(--quiet);
  background: none; border: 0; padding: 0; overflow-wrap: anywhere; white-space: pre-wrap; }

.pictures { display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fill, minmax(var(--size, 96px), 1fr)); }
.pictures.fixed { grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.picture { position: relative; margin: 0; min-width: 0; }
.picture button.look { display: block; width: 100%; padding: 0; border: 0; cursor: pointer;
  background: none; border-radius: 6px; }
.picture img, img.picture-large, img.crisp { width: 100%; display: block; border-radius: 6px;
  margin: 0; image-rendering: pixelated; box-shadow: 0 0 0 1px rgb(58 37 48 / .10); }
.picture button.look:hover img { box-shadow: 0 0 0 2px var(--accent); }
.picture.chosen img { box-shadow: 0 0 0 3px var(--accent); }
.picture figcaption { font-size: 11.5px; line-height: 1.5; color: var(--quiet); text-align: center;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-top: 2px;
  font-variant-numeric: tabular-nums; }
.picture .star { position: absolute; top: 4px; right: 4px; width: 26px; height: 26px; padding: 0;
  border: 0; border-radius: 50%; cursor: pointer; font-size: 15px; line-height: 26px;
  color: #fff8e7; background: rgb(58 37 48 / .38); }
.picture .star[aria-pressed="true"] { color: #ffd27d; background: rgb(58 37 48 / .78); }

.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 10px; }
.fact { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 9px 14px; }
.gradio-container .fact .value { display: block; font-size: 18px; line-height: 1.3;
  font-weight: 700; color: var(--ink); font-variant-numeric: tabular-nums; }
.gradio-container .fact .name { color: var(--quiet); font-size: 12px; }

.holdings { display: grid; gap: 12px; }
.kept { display: block; width: 100%; height: 44px; cursor: pointer; }
.kept rect { fill: var(--accent); } .kept rect.ground { fill: var(--line); }
.kept path { stroke-width: 2; vector-effect: non-scaling-stroke; fill: none; }
.kept .pin { stroke: var(--plum); stroke-width: 3; } .kept .specimen { stroke: var(--water); }
#forecast { background: var(--card); padding: 8px 12px !important; }
.warning { color: var(--plum); font-weight: 600; }

.list { width: 100%; border-collapse: collapse; font-size: 13px; margin: 0; }
.list th { text-align: left; font-weight: 500; color: var(--quiet); font-size: 12px;
  padding: 2px 8px 4px 0; border: 0; }
.list td { padding: 5px 8px 5px 0; border: 0; border-top: 1px solid var(--line);
  vertical-align: middle; font-variant-numeric: tabular-nums; }
.list tr.current td { color: var(--accent); }
.list .name { all: unset; cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
.list .name:hover { color: var(--accent); }
.list .name:focus-visible { outline: 2px solid var(--accent); }

.live { display: grid; gap: 14px; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); }
.events { list-style: none; margin: 10px 0 0; padding: 0 4px 0 0; font-size: 12.5px;
  max-height: 124px; overflow: auto; }
.events li { display: grid; grid-template-columns: 84px 52px 1fr auto; gap: 8px; padding: 3px 0;
  margin: 0; align-items: baseline; }
.events .badge { font-size: 11px; padding: 0 7px; justify-self: start; }
.events .at { text-align: right; }
.events li.alarm { font-weight: 600; }
.events time, .events .at { color: var(--quiet); white-space: nowrap; font-weight: 400; }
.chart { width: 100%; height: auto; display: block; }
.chart text { font-size: 11px; fill: var(--quiet); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart path { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.chart .faint { opacity: .22; stroke-width: 1; }
.chart .band { stroke: none; opacity: .85; }
.chart .band ~ .grid { opacity: .45; }
.plot { position: relative; } .plot.unknown { display: grid; place-items: center; height: 220px; }
.mark { position: absolute; top: 3.6%; bottom: 10%; width: 11px; margin-left: -5.5px;
  cursor: help; --colour: var(--quiet); }
.mark.wrong { --colour: #c2304a; } .mark.changed { --colour: #2f6fc4; }
.dark .mark.wrong { --colour: #ff7b8d; } .dark .mark.changed { --colour: #7fb2f5; }
.mark::before { content: ""; position: absolute; left: 5px; top: 0; bottom: 0;
  border-left: 1px dashed var(--colour); opacity: .75; }
.mark::after { content: ""; position: absolute; left: 2px; top: -2px; width: 7px; height: 7px;
  border-radius: 50%; background: var(--colour); }
.mark .said { display: none; position: absolute; z-index: 5; top: 8px; left: 12px; width: 230px;
  padding: 6px 10px; border-radius: 8px; font-size: 12px; line-height: 1.4; color: var(--ink);
  background: var(--card); border: 1px solid var(--colour);
  box-shadow: 0 4px 14px rgb(58 37 48 / .18); }
.mark.left .said { left: auto; right: 12px; }
.mark:hover .said, .mark:focus .said { display: block; }
.mark:focus-visible { outline: 2px solid var(--colour); outline-offset: 1px; border-radius: 3px; }
.choices { display: flex; flex-wrap: wrap; gap: 4px; margin-bottom: 8px; }
.choices i { margin-left: auto; }
.choices .plain { padding: 1px 8px; font-size: 12px; font-weight: 500; background: transparent;
  border-color: transparent; color: var(--quiet); }
.choices .plain:hover { color: var(--accent); }
.choices .plain[aria-pressed="true"] { background: var(--sunk); border-color: var(--line);
  color: var(--ink); font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; color: var(--quiet);
  margin-top: 2px; }
.legend span::before, .run::before { content: ""; display: inline-block; width: 14px; height: 3px;
  border-radius: 2px; margin-right: 6px; vertical-align: middle; background: var(--colour); }
.run { font-weight: 600; overflow-wrap: anywhere; }

.layers { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); }
.layers h4 { font: 700 14px/1.3 var(--font); color: var(--ink); margin: 10px 0 4px; }
.layers td:first-child { font-size: 12px; overflow-wrap: anywhere; }
.histogram { display: block; width: 100%; min-width: 64px; height: 30px; }
.histogram path { fill: var(--accent); opacity: .8; }
.histogram line { stroke: var(--quiet); stroke-width: 1; vector-effect: non-scaling-stroke; }
.range { display: flex; justify-content: space-between; font-size: 10.5px; line-height: 1.2; }

.commands { display: grid; gap: 6px; grid-template-columns: repeat(2, minmax(0, 1fr));
  margin-top: 6px; }

#asked .command { margin-top: 4px; }
.settings { margin-top: 10px; } .settings td { font-size: 12.5px; overflow-wrap: anywhere; }
.settings .differs td:first-child { font-weight: 600; color: var(--accent); }
.same { margin: 8px 0 12px; font-size: 12.5px; }
.same summary { cursor: pointer; color: var(--quiet); padding: 4px 0; }

.job { padding: 9px 0; border-top: 1px solid var(--line); }
.job:first-of-type { border-top: 0; }
.job pre { max-height: 180px; overflow: auto; font-size: 11.5px; background: var(--sunk);
  border-radius: 8px; padding: 8px 10px; margin: 6px 0 0; white-space: pre-wrap; color: var(--ink);
  border: 1px solid var(--line); }
.job .bar { margin-top: 6px; }

.player video { width: 100%; height: 440px; border-radius: 8px; background: #1d151a;
  display: block; image-rendering: pixelated; }
.films { display: flex; gap: 8px; flex-wrap: wrap; margin-top: 10px; max-height: 132px;
  overflow: auto; }
.films .plain[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); }
.atlas-sheet img { width: 100%; display: block; margin: 0; cursor: crosshair; border-radius: 8px;
  box-shadow: 0 0 0 1px rgb(58 37 48 / .10); }
.walk { display: grid; grid-template-columns: 1fr 2.2fr 1fr; gap: 14px; align-items: end; }
.two { display: grid; grid-template-columns: minmax(0, 190px) minmax(0, 1fr); gap: 14px; }
#others, #draw-atlas { align-self: center; max-height: 42px; }
#way-back .wrap { font-size: 13px; line-height: 1.5; padding-top: 22px; }
#way-back .icon-wrap { display: none; }
@media (max-width: 900px) { .live, .two { grid-template-columns: minmax(0, 1fr); } }
"""

# One listener for all that can be pressed in a piece of markup: an element with data-action says
# what is meant, fields with data-field say with which values, a picture where it was pressed.
PRESSES = """
element.addEventListener('click', (event) => {
  const copy = event.target.closest('[data-copy]');
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
      copy.textContent = 'Copied';
      setTimeout(() => { copy.textContent = 'Copy'; }, 1200);
    });
    return;
  }
  const pressed = event.target.closest('[data-action]');
  if (!pressed) return;
  const box = pressed.getBoundingClientRect();
  const values = { ...pressed.dataset };
  values.x = (event.clientX - box.left) / box.width;
  values.y = (event.clientY - box.top) / box.height;
  for (const field of element.querySelectorAll('[data-field]')) {
    values[field.dataset.field] = field.value;
  }
  trigger('click', values);
});
"""
