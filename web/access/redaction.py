"""The rules of redaction: to read, to try on stored records, and to change while Sheaf runs."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma
import msgspec
from flask import Response
from marshmallow import fields, validate

from access.secret import redaction_secret
from config.units import NS_PER_HOUR, NS_PER_MS
from ledger.redaction import EVERYWHERE, RedactionBook
from storage.query.logs.read import LogRow, PageQuery
from storage.query.logs.search import LogFilters
from storage.redaction.presets import PRESETS
from storage.redaction.rules import MOST_RULES, Rule, RuleError
from storage.redaction.trial import Change, tried
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.common.time_range import time_range_of
from web.http.access import current_principal
from web.http.answers import about_request, answer
from web.http.arguments import Text, described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer

_MOST_TRIED = 1000
_MOST_EXAMPLES = 20


class RuleSchema(ma.Schema):
    """A rule: an action, and exactly one of `attribute`, `preset` and `pattern`."""

    class Meta:
        """Refuse unknown fields, so that a misspelt one is noticed."""

        unknown = ma.RAISE

    action = fields.String(
        required=True,
        validate=validate.OneOf(["mask", "hash", "drop"]),
        metadata=described("`mask`: `***`. `hash`: a keyed hash. `drop`: nothing is left."),
    )
    attribute = Text(
        metadata=described_like("Attribute's name, in any case; `*` is any text.", "*password*")
    )
    preset = Text(
        validate=validate.OneOf(list(PRESETS)), metadata=described("A ready-made expression.")
    )
    pattern = Text(metadata=described("Regular expression (RE2)."))


def _rules() -> ma.fields.Field[Any]:
    most = validate.Length(max=MOST_RULES, error=f"At most {MOST_RULES} rules.")
    text = described("The rules, in the order in which they are applied.")
    return fields.List(fields.Nested(RuleSchema), required=True, validate=most, metadata=text)


class RedactionArguments(WorkspaceArguments):
    """Whose rules."""

    everywhere = fields.Boolean(
        load_default=False, metadata=described("The rules that hold in all workspaces.")
    )


class RulesArguments(RedactionArguments):
    """All rules of a workspace; they replace those that it has."""

    rules = _rules()


class DryRunArguments(WorkspaceArguments):
    """Rules to try."""

    rules = _rules()


class RedactionAnswer(Answer):
    """The rules of a workspace."""

    rules = fields.List(fields.Nested(RuleSchema), required=True)
    everywhere = fields.List(
        fields.Nested(RuleSchema),
        required=True,
        metadata=described("Rules of all workspaces, which are applied before."),
    )


class ExampleSchema(ma.Schema):
    """A record that would change: its fields that differ."""

    time_ms = fields.Integer(required=True)
    before = fields.Dict(required=True)
    after = fields.Dict(required=True)


class DryRunAnswer(Answer):
    """What rules would have changed in log records of the last hour."""

    records = fields.Integer(
        required=True,
        metadata=described(f"Records looked at: the newest, at most {_MOST_TRIED:,}."),
    )
    changed = fields.Integer(required=True, metadata=described("Records that would change."))
    changed_by_rule = fields.List(
        fields.Integer(),
        required=True,
        metadata=described("Records that each rule, alone, would change."),
    )
    examples = fields.List(fields.Nested(ExampleSchema), required=True)


def redaction_blueprint() -> ApiBlueprint:
    """The routes below `/redaction`."""
    blueprint = ApiBlueprint("redaction", __name__, description="Redaction")
    _add_rules(blueprint)

    @blueprint.endpoint(
        "/redaction/dry-run", DryRunAnswer, takes=DryRunArguments, method="POST", scope="admin"
    )
    def dry_run(arguments: dict[str, Any]) -> Response:
        """Show what rules would have changed in the workspace's log records of the last hour."""
        rules = _checked(arguments["rules"])
        rows = _sample(workspace_of(arguments))
        trial = tried(rows, rules, redaction_secret(current_resources().settings))
        found = {
            "records": len(rows),
            "changed": len(trial.changes),
            "changed_by_rule": trial.records_by_rule,
            "examples": [_example(change) for change in trial.changes[:_MOST_EXAMPLES]],
        }
        return answer({**found, **about_request()})

    return blueprint


def _add_rules(blueprint: ApiBlueprint) -> None:
    @blueprint.endpoint(
        "/redaction", RedactionAnswer, takes=RedactionArguments, cost="none", scope="admin"
    )
    def rules(arguments: dict[str, Any]) -> Response:
        """Get the rules of redaction of a workspace, or of all."""
        return _answer(_name(arguments))

    @blueprint.endpoint(
        "/redaction", RedactionAnswer, takes=RulesArguments, method="PUT", cost="none"
    )
    def change_rules(arguments: dict[str, Any]) -> Response:
        """Replace the rules of redaction of a workspace, or of all.

        They hold within five seconds, for records that are stored from then on.
        """
        _book().replace(_name(arguments), _checked(arguments["rules"]))
        return _answer(_name(arguments))


def _name(arguments: dict[str, Any]) -> str:
    """The entry that a request is about."""
    if not arguments["everywhere"]:
        return workspace_of(arguments)
    current_principal().check_everywhere()
    return EVERYWHERE


def _checked(given: list[dict[str, str]]) -> list[Rule]:
    rules = [Rule(**each) for each in given]  # type: ignore[arg-type] # the schema checks actions
    for index, rule in enumerate(rules):
        try:
            rule.check()
        except RuleError as error:
            raise WrongParameterError(f"rules.{index}", str(error)) from None
    return rules


def _sample(workspace_id: str) -> list[LogRow]:
    query = PageQuery(
        filters=LogFilters(workspace_id=workspace_id),
        time_range=time_range_of({}, default_ns=NS_PER_HOUR),
        limit=_MOST_TRIED,
        count=False,
    )
    return current_resources().reader.page(query).rows


def _example(change: Change) -> dict[str, Any]:
    time_ms = change.row["timestamp_ns"] // NS_PER_MS
    return {"time_ms": time_ms, "before": change.before, "after": change.after}


def _answer(name: str) -> Response:
    book = _book()
    own = [] if name == EVERYWHERE else _view(book.own(name))
    return answer({"rules": own, "everywhere": _view(book.own(EVERYWHERE)), **about_request()})


def _view(rules: Sequence[Rule]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = msgspec.to_builtins(rules)
    return found


def _book() -> RedactionBook:
    resources = current_resources()
    return RedactionBook(resources.ledger.broker, resources.clickhouse)
