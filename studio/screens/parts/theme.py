"""The theme of the page: colours of paper, ink and city maps, and its font."""

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

# The font is a file of Gradio's. Its semi-bold lacks most letters, so only whole weights are used.
PLEX = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))


def studio_theme() -> gr.themes.Base:
    """A theme for Gradio: cream ground, terracotta accent, plum ink, and no font from elsewhere."""
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
