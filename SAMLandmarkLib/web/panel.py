"""The panel beside the views: points, progress, the table of results, and the landmark under review."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as vuetify

from ..session.review_actions import REVIEW_KEYS

# Action, icon, text.
_DECISIONS = (
    ("accept", "mdi-check", "Accept"),
    ("reject", "mdi-close", "Reject"),
    ("next_candidate", "mdi-map-marker-question-outline", "Other place"),
    ("set_missing", "mdi-eye-off-outline", "Not on scan"),
    ("reopen", "mdi-restore", "Reopen"),
)
_KEYS = {action: key for key, action in REVIEW_KEYS.items()}
# For style sheets and tests.
_DATA = ("data-label", "data-decision", "data-status")
_BUTTON = {"variant": "tonal", "size": "small", "classes": "sl-action"}


def build_panel() -> None:
    """Build the panel at the present place of the page."""
    with html.Div(classes="sl-panel"):
        _build_source()
        _build_points()
        _build_progress()
        _build_message()
        _build_table()
        _build_current()
        html.Div("Research software, not a medical device: look at every point.", classes="sl-note")


def _build_source() -> None:
    with html.Span(title="What is found on the scans; named landmarks need no template"):
        vuetify.VSelect(
            id="source",
            v_model=("protocol",),
            items=("sources",),
            density="compact",
            variant="outlined",
            hide_details=True,
        )


def _build_points() -> None:
    with html.Div(classes="sl-row"):
        hint = "Click on the template; the point appears on every follow-up"
        with html.Span(title=hint, v_if="!protocol"):
            vuetify.VBtn(
                "{{ placing ? 'Stop placing' : 'Place points' }}",
                id="place",
                prepend_icon="mdi-map-marker-plus-outline",
                color=("placing ? 'warning' : 'primary'",),
                variant="flat",
                size="small",
                disabled=("!can_place",),
                click="trigger('place')",
            )
        html.Div(classes="sl-gap")
        _action("undo", "mdi-undo", "Undo", icon_only=True)
        _action("redo", "mdi-redo", "Redo", icon_only=True)


def _build_progress() -> None:
    with html.Div(classes="sl-progress", id="status"):
        with html.Div(classes="sl-row", v_if="status.busy"):
            html.Span("{{ status.text }}", classes="sl-grow")
            html.Span("{{ status.percent }} %", v_if="status.percent > 0")
            vuetify.VBtn("Cancel", size="x-small", variant="text", click="trigger('cancel')")
        with html.Div(classes="sl-row", v_else=True):
            html.Span("{{ status.blocking_reason || status.estimate }}", classes="sl-grow")
            vuetify.VBtn(
                "{{ protocol ? 'Find again' : 'Transfer all' }}",
                id="transfer",
                size="x-small",
                variant="text",
                v_if="!status.blocking_reason",
                title="Find all points again; what you have decided stays",
                click="trigger('transfer')",
            )
        vuetify.VProgressLinear(
            model_value=("status.percent",), active=("status.busy",), height=3, color="primary"
        )
        with html.Div(classes="sl-row", v_if="upload_percent > 0"):
            html.Span("Sending the scan: {{ upload_percent }} %", id="upload-progress")


def _build_message() -> None:
    with html.Div(classes="sl-message", id="message", v_if="message"):
        html.Span("{{ message }}", classes="sl-grow")
        vuetify.VBtn(icon="mdi-close", size="x-small", variant="text", click="trigger('read_message')")


def _build_table() -> None:
    with html.Div(classes="sl-table", id="results"), html.Table():
        with html.Thead(), html.Tr():
            html.Th("Point", classes="sl-label")
            html.Th(
                "{{ scan.title }}",
                v_for="scan in table.columns",
                key=("scan.key",),
                title=("scan.problem || scan.name",),
                classes=("scan.problem ? 'sl-failed' : ''",),
            )
        with html.Tbody(), html.Tr(v_for="row in table.rows", key=("row.label",)):
            with html.Td(classes="sl-label", title=("row.label",)):
                _build_label()
            with html.Td(
                v_for="cell in row.cells",
                key=("cell.key",),
                classes=("cell.current ? 'sl-cell sl-current' : 'sl-cell'",),
                title=("cell.hint",),
                style=("cell.style",),
                click="trigger('select', [cell.key, row.label])",
                data_label=("row.label",),
                data_decision=("cell.decision",),
                data_status=("cell.status",),
                __properties=[(name.replace("-", "_"), name) for name in _DATA],
            ):
                html.Div("{{ line }}", v_for="(line, number) in cell.lines", key=("number",))
    html.Div("{{ table.summary }}", classes="sl-summary", id="summary")


def _build_label() -> None:
    html.Input(
        v_if="renaming === row.label",
        classes="sl-rename",
        v_model=("new_name",),
        keyup_enter="trigger('rename', [row.label, new_name]); renaming = ''",
        keyup_esc="renaming = ''",
        __events=[("keyup_enter", "keyup.enter"), ("keyup_esc", "keyup.esc")],
    )
    with html.Div(v_else=True, classes="sl-name-of-point"):
        # may be broken behind an underscore, as long names have them
        html.Span("{{ row.label.replaceAll('_', '_\u200b') }}")
        with html.Span(classes="sl-tools", v_if="!protocol"):
            _tool("mdi-pencil", "Rename", "renaming = row.label; new_name = row.label")
            _tool("mdi-delete-outline", "Remove", "trigger('remove', [row.label])")


def _tool(icon: str, hint: str, click: str) -> None:
    with html.Span(title=hint):
        vuetify.VIcon(icon, size="x-small", click=click)


def _build_current() -> None:
    with html.Div(classes="sl-current-box"):
        html.Div("{{ current.details }}", classes="sl-details", id="details")
        with html.Div(classes="sl-actions"):
            _action("next_doubtful", "mdi-skip-next", "Next doubtful", color="primary")
            for action, icon, text in _DECISIONS:
                _action(action, icon, text)
        vuetify.VCheckbox(
            v_model=("corrections",),
            label="Corrected points help on the other scans",
            density="compact",
            hide_details=True,
            v_if="table.columns.length > 1 && !protocol",
        )
        html.Div("P puts the point where the mouse is; drag a point to correct it.", classes="sl-hint")


def _action(action: str, icon: str, text: str, icon_only: bool = False, **options: str) -> None:
    key = _KEYS.get(action, "")
    shown = f"{text} ({key})" if key else text
    title = f"current.blocking_reasons.{action} || '{shown}'"
    with (
        html.Span(title=(title,)),
        vuetify.VBtn(
            id=f"do-{action}",
            click=f"trigger('review', ['{action}'])",
            disabled=(f"current.blocking_reasons.{action} !== ''",),
            **_BUTTON,
            **options,
        ),
    ):
        vuetify.VIcon(icon, size="small")
        if not icon_only:
            html.Span(text, classes="sl-action-text")
            if key:
                html.Kbd(key)
