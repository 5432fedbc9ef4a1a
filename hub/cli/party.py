"""`ocpi-hub party`, over the running hub's operator API: invite, connect, list, show, set, suspend, resume, complete,
pull, resync, remove.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from connectors.values import PartyId, Role
from hub.cli import listing, output, policy, pulling, resyncing
from hub.cli.calling import OperatorApi, party_path
from hub.cli.moments import MOMENT, moment
from hub.settings import load_or_exit
from routing.directory import Validate

app = typer.Typer(no_args_is_help=True, help="The parties of the running hub.")

Json = listing.Json
_NONE = "none"
_HELD = {
    "waiting": "waiting to be delivered",
    "attempting": "being delivered",
    "parked": "sent without an outcome, for somebody to decide (deadletter list --reason unknown)",
    "given_up": "given up after seven days (deadletter list --reason custody)",
}

Country = Annotated[str, typer.Argument(metavar="COUNTRY", help="country_code, two letters")]
Party = Annotated[str, typer.Argument(metavar="PARTY", help="party_id, up to three characters")]


def _api() -> OperatorApi:
    return OperatorApi(load_or_exit())


@app.command()
def invite(
    parties: Annotated[
        list[str], typer.Argument(metavar="COUNTRY PARTY ROLE...", help="for example NL TNM CPO; several may follow")
    ],
    json: Json = False,
) -> None:
    """Invite a platform to register these parties: prints the token and the versions URL to give to it."""
    wanted = _triples(parties)
    with output.failures():
        given = _api().post("/api/parties/invite", {"parties": wanted})
    if json:
        output.as_json({"token": given["token"], "versions_url": given["versions_url"]})
        return
    output.line(f"versions URL  {given['versions_url']}")
    output.line(f"token         {given['token']}")
    output.line("Give both to the party. The token is shown only now, and ends when the party has registered.")


@app.command("list")
def list_(
    wanted: listing.Filter = "", offset: listing.Offset = 0, limit: listing.Limit = None, json: Json = False
) -> None:
    """Every party that the hub knows; the filter looks at party, role, name and status, or is a platform's id."""
    with output.failures():
        found = listing.listed(_api(), "/api/parties", "parties", wanted=wanted, offset=offset, limit=limit)
    if json:
        output.as_json(found.rows)
        return
    rows = [[r["party"], r["role"], r["name"], _status(r), r["version"], r["platform"]] for r in found.rows]
    listing.table(("party", "role", "name", "status", "version", "platform"), rows, found, title="parties")


@app.command()
def show(country: Country, party: Party, json: Json = False) -> None:
    """All of one party: its platform, roles, endpoints, settings, and what it still has to be resynced with."""
    with output.failures():
        shown = _api().get(party_path(country, party))
    _print(shown, json=json)


@app.command()
def suspend(country: Country, party: Party, json: Json = False) -> None:
    """Block a party: it can neither call nor be called, and is shown as OFFLINE."""
    _act(country, party, "suspend", json=json)


@app.command()
def resume(country: Country, party: Party, json: Json = False) -> None:
    """End a suspension."""
    _act(country, party, "resume", json=json)


@app.command()
def remove(country: Country, party: Party, json: Json = False) -> None:
    """Remove a party for good, or withdraw its invitation; it stays listed as SUSPENDED."""
    _act(country, party, "remove", json=json)


@app.command()
def complete(
    country: Country,
    party: Party,
    module: Annotated[
        list[str] | None, typer.Option(help="Only of this module; may be given again. All that are listed without it.")
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="It is not so any more.")] = False,
    json: Json = False,
) -> None:
    """Say that the hub has all that a party owns, since all of it is pushed: lists of everybody's objects need it."""
    body = {"modules": module or [], "complete": not undo}
    with output.failures():
        shown = _api().post(party_path(country, party, "complete"), body)
    if json:
        output.as_json(shown)
    else:
        output.line(f"complete of {shown['party']}: {_complete(shown)}")


@app.command()
def pull(
    country: Country,
    party: Party,
    module: Annotated[
        list[str] | None, typer.Option(help="Only of this module; may be given again. All that it lists without it.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until all was read.")] = True,
    json: Json = False,
) -> None:
    """Read the lists that a party owns from its platform anew, and show how far that is."""
    with output.failures():
        shown = pulling.follow(_api(), country, party, module or [], wait=wait, say=not json)
    if json:
        output.as_json(shown)


@app.command()
def resync(
    country: Country,
    party: Party,
    module: Annotated[
        list[str] | None, typer.Option(help="Only of this module; may be given again. All that it takes without it.")
    ] = None,
    since: Annotated[str, typer.Option(help=f"Only what changed from then on; {MOMENT}")] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be sent.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until all was sent.")] = True,
    json: Json = False,
) -> None:
    """Send a party the newest state of all that it may see once more: it is new, newly allowed, or lost what it had."""
    with output.failures():
        told = resyncing.follow(
            _api(), country, party, module or [], since=moment(since, datetime.now(UTC)), dry_run=dry_run, wait=wait,
            say=not json,
        )  # fmt: skip
    if json:
        output.as_json(told)


@app.command("set")
def set_(
    country: Country,
    party: Party,
    *,
    validate: Annotated[Validate | None, typer.Option(help="Whether what OCPI forbids refuses its pushes.")] = None,
    form: Annotated[str | None, typer.Option(help="How the hub writes its Authorization header: raw, base64.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="An origin that its URLs may have too; again for more. `none`: none.")
    ] = None,
    speaker: Annotated[str | None, typer.Option("--from", help="Who broadcasts to it are from: hub, owner.")] = None,
    page_limit: Annotated[str | None, typer.Option(help="Objects of a page that the hub asks it for at most.")] = None,
    user_agent: Annotated[str | None, typer.Option(help="The hub's User-Agent towards it.")] = None,
    rate: Annotated[str | None, typer.Option(help="Requests a second that the whole hub sends to it at most.")] = None,
    resync: Annotated[
        bool | None, typer.Option("--resync/--no-resync", help="Whether it gets the newest state of what it missed.")
    ] = None,
    behind: Annotated[
        bool | None, typer.Option("--behind/--no-behind", help="Whether it is a hub that speaks for those behind it.")
    ] = None,
    custody: Annotated[
        bool | None,
        typer.Option("--custody/--no-custody", help="Take CDRs that it cannot be given, and deliver them later."),
    ] = None,
    deduplicates: Annotated[
        bool | None,
        typer.Option("--deduplicates/--no-deduplicates", help="Whether it takes a CDR that it is sent twice for one."),
    ] = None,
    module: Annotated[
        list[str] | None,
        typer.Option(help="MODULE=URL: the module that an endpoint of its serves; again for more. `none`: none."),
    ] = None,
    json: Json = False,
) -> None:
    """Set what the platform of a party needs; `none` takes a setting back. Without options: show what is set."""
    body: dict[str, Any] = {}
    for name, value in (
        ("validate", validate), ("form", form), ("from", speaker), ("user_agent", user_agent),
    ):  # fmt: skip
        if value is not None:
            body[name] = None if value == _NONE else str(value)
    if page_limit is not None:
        body["page_limit"] = None if page_limit == _NONE else _whole(page_limit)
    if rate is not None:
        body["rate"] = None if rate == _NONE else _number(rate)
    switches = {"resync": resync, "behind": behind, "custody": custody, "deduplicates": deduplicates}
    body |= {name: on for name, on in switches.items() if on is not None}
    if origin is not None:
        body["origins"] = [one for one in origin if one != _NONE]
    if module is not None:
        body["modules"] = _by_url([one for one in module if one != _NONE])
    with output.failures():
        api = _api()
        shown = api.get(party_path(country, party))
        platform = shown["platforms"][0]
        settings = {**platform["settings"], "revision": platform["revision"]}
        if body:
            settings = api.patch(f"/api/platforms/{platform['id']}/settings", body)
    if json:
        output.as_json(settings)
        return
    for name, value in settings.items():
        output.line(f"{name:<12}{_value(value)}")


# a token may begin with a hyphen, and is no option then
@app.command(context_settings={"ignore_unknown_options": True})
def connect(
    versions_url: Annotated[str, typer.Argument(metavar="VERSIONS_URL", help="the versions URL of the platform")],
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="the token that it gave to the hub")],
    json: Json = False,
) -> None:
    """Register the hub with a platform that invited it: the hub starts the handshake."""
    with output.failures():
        connected = _api().post("/api/platforms/connect", {"versions_url": versions_url, "token": token})
    if json:
        output.as_json(connected)
        return
    names = ", ".join(f"{row['role']} {row['party']}" for row in connected["parties"])
    output.line(f"connected with {names} as platform {connected['platform']}")


def _act(country: str, party: str, action: str, *, json: bool) -> None:
    with output.failures():
        shown = _api().post(party_path(country, party, action))
    if json:
        output.as_json(shown)
    else:
        output.line(f"{shown['party']} is {shown['status']} now")


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f"{text!r} is not a whole number, nor {_NONE}", param_hint="--page-limit")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number, nor {_NONE}", param_hint="--rate") from None


def _by_url(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        module, _, url = word.partition("=")
        if not module or not url:
            raise typer.BadParameter(f"{word!r} is not written as MODULE=URL", param_hint="--module")
        found[url] = module
    return found


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{module}={url}" for url, module in value.items()) or _NONE
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _NONE
    return _NONE if value is None else str(value)


def _triples(words: list[str]) -> list[dict[str, str]]:
    if not words or len(words) % 3:
        raise typer.BadParameter("write COUNTRY PARTY ROLE, for example NL TNM CPO, once for each party")
    parties = []
    for country, party, role in zip(words[::3], words[1::3], words[2::3], strict=True):
        if role.upper() not in set(Role):
            raise typer.BadParameter(f"{role!r} is not a role; one of {', '.join(Role)} belongs there")
        try:
            id = PartyId.of(country, party)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong)) from None
        parties.append({"country_code": id.country_code, "party_id": id.party_id, "role": role.upper()})
    return parties


def _status(row: dict[str, Any]) -> str:
    notes = [
        note
        for note, holds in (
            ("removed", row["removed"]),
            ("suspended", row["suspended"]),
            (f"behind {row['behind']}", row["behind"] is not None),
            ("invited", not row["registered"] and not row["removed"]),
        )
        if holds
    ]
    return f"{row['status']} ({', '.join(notes)})" if notes else str(row["status"])


def _complete(shown: dict[str, Any]) -> str:
    return ", ".join(f"{module} (since {since})" for module, since in shown["complete"].items()) or _NONE


def _print(shown: dict[str, Any], *, json: bool) -> None:
    if json:
        output.as_json(shown)
        return
    output.line(f"{shown['party']}  {shown['status']}")
    output.line(f"complete in lists of everybody's: {_complete(shown)}")
    for terms, modules in _delivery(shown):
        output.line(f"delivery of {modules}: {terms}")
    for row in shown["custody"]:
        output.line(f"CDRs in custody: {row['count']} {_HELD[row['held']]}, the oldest since {row['oldest']}")
    for row in shown["pulls"]:
        output.line(f"list of {row['module']}: {pulling.told(row)}")
    for row in shown["resyncs"]:
        output.line(f"resync of {row['module']}: {resyncing.told(row)}, asked for {row['asked']}")
    for platform in shown["platforms"]:
        output.line("")
        print_platform(platform)


def _delivery(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """The terms of delivery, and the modules for which they are the same."""
    found: dict[str, list[str]] = {}
    for row in shown["delivery"]:
        by = f" ({', '.join(row['policies'])})" if row["policies"] else ""
        found.setdefault(policy.told(row) + by, []).append(row["module"])
    return [(terms, ", ".join(modules)) for terms, modules in found.items()]


def print_platform(platform: dict[str, Any]) -> None:
    """Print one platform for people, as the operator API tells it."""
    settings = platform["settings"]
    facts = {
        "platform": platform["id"],
        "parties on it": ", ".join(platform["parties"]),
        "roles": ", ".join(f"{role['role']} {role['name']} {_status(role)}" for role in platform["roles"]),
        "version": platform["version"] or "not registered",
        "versions URL": platform["versions_url"],
        "origins": ", ".join(platform["origins"]),
        "settings": f"validate={settings['validate']} form={settings['form'] or platform['form'] + ' (seen)'} "
        f"from={settings['from']}",
        "page limit": _value(settings["page_limit"]),
        "rate": "no limit" if settings["rate"] is None else f"{settings['rate']:g} requests a second at most",
        "User-Agent": _value(settings["user_agent"]),
        "resync": "what it missed is sent" if settings["resync"] else "off",
        "behind it": "it speaks for those behind it" if settings["behind"] else "it speaks for its own parties only",
        "CDRs": _custody(settings),
        "renamed": _value(settings["modules"]),
        "updated": platform["updated"],
    }
    for name, value in facts.items():
        output.line(f"  {name:<14}{value}")
    endpoints = [[e["identifier"], e["role"], e["url"]] for e in platform["endpoints"]]
    output.table(("module", "role", "URL"), endpoints, title="endpoints")
    marks = [
        [
            f"{m['topic']}/{m['partition']}", m["position"]["offset"], m["since"], m["reason"],
            "under way" if m["resync"] else "", m["party"] or "all on it",
        ]
        for m in platform["marks"]
    ]  # fmt: skip
    output.table(("partition", "from", "since", "why", "resync", "of"), marks, title="resync marks")


def _custody(settings: dict[str, Any]) -> str:
    if not settings["custody"]:
        return "custody is off"
    again = "again" if settings["deduplicates"] else "never"
    return f"taken into custody; one whose outcome is not known is sent {again} by the hub"
