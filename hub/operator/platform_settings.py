"""What an operator sets for one platform, as a change of its record: pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.authorization import Form
from hub.operator.requests import BadRequest, PatchSettings
from routing.directory import Platform, Validate


def patched(platform: Platform, patch: PatchSettings) -> Platform:
    """With these settings; what the patch leaves out stays, null takes a setting back. Raises BadRequest."""
    given = patch.model_fields_set
    changes: dict[str, Any] = {}
    if "validation" in given:
        changes["validate"] = patch.validation or Validate.DEFAULT
    if "form" in given:
        changes["form"] = None if patch.form is None else Form[patch.form.upper()]
    if "origins" in given:
        changes["origins"] = tuple(patch.origins or ())
    if "speaker" in given:
        changes["from_owner"] = patch.speaker == "owner"
    for name in ("page_limit", "user_agent", "rate"):
        if name in given:
            changes[name] = getattr(patch, name)
    if "resync" in given:
        changes["resync"] = patch.resync is not False
    if "behind" in given:
        changes["behind"] = patch.behind is True
    for name in ("custody", "deduplicates"):
        if name in given:
            changes[name] = getattr(patch, name) is True
    if "modules" in given:
        changes["renames"] = _renames(platform, patch.modules or {})
    return replace(platform, settings=replace(platform.settings, **changes))


def _renames(platform: Platform, modules: dict[str, str]) -> tuple[tuple[str, str], ...]:
    advertised = {endpoint.url for endpoint in platform.endpoints}
    for url in modules:
        if url not in advertised:
            raise BadRequest(f"{url} is not an endpoint that this platform advertised; party show lists those that are")
    return tuple(sorted(modules.items()))
