"""The page: bar, views, and the panel with the review."""

from __future__ import annotations

from collections.abc import Sequence

from trame.widgets import html
from trame.widgets import vuetify3 as vuetify
from trame_rca import module as streaming
from trame_server import Server
from trame_vuetify.ui.vuetify3 import VAppLayout

from ..scene.layout import ORIENTATIONS
from ..utils.bundled import bundled_folder
from .page_state import ALL_ORIENTATIONS
from .page_views import PageViews
from .panel import build_panel

_STATIC = "samlandmark"
_TEXTS = {"Axial": "Axial", "Coronal": "Coronal", "Sagittal": "Sagittal", ALL_ORIENTATIONS: "All three"}
_THEME = {
    "theme": {
        "defaultTheme": "samlandmark",
        "themes": {
            "samlandmark": {
                "dark": True,
                "colors": {
                    "background": "#14181d",
                    "surface": "#1c2229",
                    "primary": "#5aa9e6",
                    "secondary": "#8a94a3",
                },
            }
        },
    }
}


def build_page(server: Server, views: PageViews, windows: Sequence[str]) -> VAppLayout:
    """Build the page of a server; keep the answer as long as the server runs."""
    # views come later, but what serves them must be known before the server runs
    server.enable_module(streaming)
    server.enable_module(
        {
            "serve": {_STATIC: str(bundled_folder("Web"))},
            "scripts": [f"{_STATIC}/page.js"],
            "styles": [f"{_STATIC}/page.css"],
        }
    )
    layout = VAppLayout(server, vuetify_config=_THEME)
    with layout, html.Div(classes="sl-page"):
        _build_bar(windows)
        with html.Div(classes="sl-body"):
            with html.Div(classes="sl-main"):
                _build_tabs()
                with html.Div(classes="sl-stage"):
                    views.place(layout)
            build_panel()
    return layout


def _build_bar(windows: Sequence[str]) -> None:
    with html.Div(classes="sl-bar"):
        html.Span("SAMLandmark", classes="sl-brand")
        _choice("orientation", {name: _TEXTS[name] for name in (*ORIENTATIONS, ALL_ORIENTATIONS)})
        _choice("window", {name: name.capitalize() for name in windows})
        _switch(
            "linked", "mdi-link-variant", "Scroll together", "Scrolling one scan scrolls the others as far"
        )
        _switch("heat_map", "mdi-fire", "Similarity", "Color the places that look like the current point")
        _switch(
            "registered",
            "mdi-layers-outline",
            "Registered",
            "Lay the follow-up over the template, in the template's frame",
        )
        vuetify.VBtn(
            "Fit",
            prepend_icon="mdi-fit-to-page-outline",
            click="trigger('fit')",
            title="Show the whole slices again",
            **_QUIET,
        )
        html.Div(classes="sl-gap")
        _build_files()


_QUIET = {"variant": "text", "size": "small", "classes": "sl-button"}


def _choice(name: str, texts: dict[str, str]) -> None:
    with vuetify.VBtnToggle(
        v_model=(name,),
        mandatory=True,
        density="compact",
        variant="outlined",
        divided=True,
        classes="sl-choice",
        id=f"choice-{name}",
    ):
        for value, text in texts.items():
            vuetify.VBtn(text, value=value, size="small")


def _switch(name: str, icon: str, text: str, hint: str) -> None:
    disabled = f"!!current.blocking_reasons.{name}"
    with html.Span(title=hint):
        vuetify.VBtn(
            text,
            id=f"switch-{name}",
            prepend_icon=icon,
            click=f"{name} = !{name}",
            color=(f"{name} ? 'primary' : ''",),
            active=(name,),
            disabled=(disabled,),
            **_QUIET,
        )


def _build_files() -> None:
    with html.Span(title="NIfTI, NRRD, MetaImage, or a .zip with one DICOM series"), vuetify.VMenu():
        with vuetify.Template(v_slot_activator=("{ props }",)):
            vuetify.VBtn(
                "Open scan",
                id="open",
                prepend_icon="mdi-folder-open-outline",
                v_bind=("props",),
                **_QUIET,
            )
        with vuetify.VList(density="compact", id="open-menu"):
            _file_item("template", "As the template …", "Points and results of the present one go.")
            _file_item("follow-up", "As a follow-up …", "The points are carried to it as well.")
    for role in ("template", "follow-up"):
        html.Input(type="file", id=f"upload-{role}", classes="sl-hidden", accept=_ACCEPTED)
    with html.Span(
        title=("table.summary ? 'Points, tables and report as one .zip' : 'There are no results yet.'",)
    ):
        vuetify.VBtn(
            "Download",
            id="download",
            prepend_icon="mdi-download",
            href="download",
            # else the browser would leave the page for it
            raw_attrs=["download"],
            disabled=("!table.summary",),
            **_QUIET,
        )


_ACCEPTED = ".nii,.nii.gz,.gz,.nrrd,.mha,.zip,.dcm,.png,.jpg,.jpeg,.tif,.tiff"


def _file_item(role: str, title: str, subtitle: str) -> None:
    vuetify.VListItem(title=title, subtitle=subtitle, id=f"open-{role}")


def _build_tabs() -> None:
    """Which follow-ups are beside the template; only where there are several."""
    with html.Div(classes="sl-tabs", v_if="table.columns.length > 1"):
        vuetify.VBtn("All", click="only = null", active=("!only",), **_QUIET)
        vuetify.VBtn(
            "{{ scan.title }}",
            v_for="scan in table.columns",
            key=("scan.key",),
            click="only = scan.key",
            active=("only === scan.key",),
            **_QUIET,
        )
