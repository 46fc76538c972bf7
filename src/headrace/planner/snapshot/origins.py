"""What a SELECT reads: topics, names of WITH, queries, functions that make rows, and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.catalog import format_named, windowed_name
from headrace.errors import ProgramError
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.snapshot import Bounds
from headrace.plan.topology import Facet
from headrace.planner.change_records import rows_of
from headrace.planner.faults import refusal
from headrace.planner.operators import need_comparable
from headrace.planner.relations import NoSuchField, TopicReads, TopicRelation
from headrace.planner.scope import Scope
from headrace.planner.snapshot import rows, sets
from headrace.planner.snapshot.bounds import bounds_of
from headrace.planner.snapshot.sources import Bound, DerivedRelation, Sources, View
from headrace.planner.snapshot.states import is_state, state_table
from headrace.planner.typed import Typed
from headrace.sql.nodes import ArrayLateral, MatchRecognize, Mode
from headrace.sql.spans import nearest_span, place_all, set_span, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names
    from headrace.planner.rules.extract_formats import Extracted
    from headrace.planner.snapshot.queries import SnapshotQueries

_ONE_SIDED = ("SEMI", "ANTI")
_Origin = tuple[exp.Expression, TopicRelation | DerivedRelation]


@dataclass(slots=True)
class ScanDraft:
    """A topic that the query scans, while it is planned."""

    relation: str
    reads: TopicReads
    bounds: Bounds = field(default_factory=Bounds)


def read(
    worker: SnapshotQueries,
    select: exp.Select,
    built: exp.Select,
    sources: Sources,
    named: Mapping[str, View],
    formats: Extracted,
    conditions: list[exp.Expression],
) -> list[exp.Expression]:
    """Bind FROM and the joins: fills `built` and `sources`. Gives the conditions that the scans alone see to."""
    done: list[exp.Expression] = []
    clause = select.args.get("from_")
    if clause is None:
        return done
    joins = select.args.get("joins") or []
    for index, origin in enumerate([clause.this, *(join.this for join in joins)]):
        before = len(worker.scans)
        node, relation = _origin(worker, origin, sources, named, formats)
        if isinstance(relation, TopicRelation) and select.args.get("mode") == Mode.TABLE:
            relation = rows_of(relation)
        scope = Scope(relation, origin.alias_or_name or f"source {index + 1}")
        sources.add(scope, origin)
        if isinstance(relation, TopicRelation):
            worker.scans[before].bounds = bounds_of(
                conditions, scope.alias, worker.constant, done, only=not joins
            )
        if index == 0:
            built.set("from_", exp.From(this=node))
        else:
            built.append("joins", _join(worker, joins[index - 1], node, sources, named))
    return done


def laterals(
    worker: SnapshotQueries,
    select: exp.Select,
    built: exp.Select,
    sources: Sources,
    named: Mapping[str, View],
    within: Expressions,
) -> None:
    """Bind LATERAL: `array AS element`, or a query that may read what stands before it."""
    for lateral in select.args.get("laterals") or ():
        if not isinstance(lateral, ArrayLateral):
            bound = worker.bind(lateral.this.this, named, sources)
            node, relation = _aside(worker.names, bound, lateral, lateral=True)
            sources.add(
                Scope(relation, lateral.alias_or_name or f"source {len(sources.scopes) + 1}"), lateral
            )
            built.append("joins", exp.Join(this=node, kind="CROSS"))
            continue
        if not sources.scopes:
            raise refusal(codes.UNKNOWN_COLUMN, "LATERAL needs FROM", nearest_span(lateral))
        array = within.value(lateral.this)
        if not pa.types.is_list(array.type):
            message = f"LATERAL takes an array, and {within.describe(lateral.this, array)} is none"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(lateral.this))
        kind = array.type.value_type
        element = Typed(worker.names.column("x", rows.declarable(kind)), kind, nullable=True)
        unnest = exp.Anonymous(this="unnest", expressions=[array.node])
        inner = exp.Select(expressions=[exp.alias_(unnest, element.node.name)])
        alias = exp.TableAlias(this=exp.to_identifier(f"s{next_number(worker.names)}"))
        joined = exp.Lateral(this=exp.Subquery(this=inner), alias=alias)
        built.append("joins", exp.Join(this=joined, kind="CROSS"))
        sources.scopes[0].laterals[lateral.args["alias"].name] = element


def next_number(names: Names) -> int:
    """Give a number that no name of the program has."""
    return int(names.column("x", pa.null()).name[1:])


def _origin(
    worker: SnapshotQueries,
    origin: exp.Expression,
    sources: Sources,
    named: Mapping[str, View],
    formats: Extracted,
) -> _Origin:
    if isinstance(origin, exp.Lateral):
        bound = worker.bind(origin.this.this, named, sources)
        return _aside(worker.names, bound, origin, lateral=True)
    if isinstance(origin, exp.Subquery):
        return _aside(worker.names, worker.bind(origin.this, named, sources.outer), origin)
    if isinstance(origin, MatchRecognize):
        message = "MATCH_RECOGNIZE belongs to programs, which take rows as they come"
        way_out = "write `INSERT INTO topic SELECT STREAM …`, and query that topic"
        raise refusal(codes.NOT_YET, message, nearest_span(origin), way_out)
    assert isinstance(origin, exp.Table)
    if is_state(origin.this):
        if not origin.alias:
            _call_alias(origin)
        return _aside(
            worker.names,
            state_table(origin.this, worker.stored, worker.states, worker.names, worker.prefix),
            origin,
        )
    if isinstance(origin.this, exp.Anonymous):
        within = worker.expressions(sources, named)
        made = rows.made(origin.this, within, worker.names)
        if not origin.alias:
            _call_alias(origin)
        return _aside(worker.names, made, origin, lateral=bool(sources.scopes))
    view = named.get(origin.this.name)
    if view is not None:
        return _aside(worker.names, _view(worker, origin.this, view, named), origin)
    columns = _column_names(origin)
    if columns:
        message = "the columns of a topic keep their names"
        raise refusal(codes.NOT_YET, message, span_of(columns[0]), "rename them by AS in a query in brackets")
    draft = _scan(worker, origin.this.name, origin.this, named, formats)
    return exp.to_table(draft.relation), TopicRelation(draft.reads)


def _call_alias(origin: exp.Table) -> None:
    """Name a function's rows by the function."""
    name = exp.to_identifier(str(origin.this.this).lower())
    origin.set("alias", exp.TableAlias(this=name))


def _view(worker: SnapshotQueries, name: exp.Identifier, view: View, named: Mapping[str, View]) -> Bound:
    if view.so_far is not None:
        return view.so_far
    place = span_of(name)
    if view.stored and place is not None:
        # What is wrong with a view is shown where the query names it.
        place_all(view.query, place)
    before = {
        key: other for key, other in named.items() if key != name.name and (other.stored or not view.stored)
    }
    try:
        found = sets.recursion(worker, name, view, before)
        return found or rows.renamed(worker.bind(view.query, before, None), view.columns)
    except ProgramError as fault:
        if not view.stored:
            raise
        note = f"it stands in the view `{name.name}`: `SHOW VIEW {name.name}` gives its query"
        raise ProgramError(
            tuple(replace(item, notes=(*item.notes, note)) for item in fault.diagnostics)
        ) from None


def _aside(names: Names, bound: Bound, origin: exp.Expression, *, lateral: bool = False) -> _Origin:
    """Give a query as a source, under a name of its own."""
    alias = exp.TableAlias(this=exp.to_identifier(f"s{next_number(names)}"))
    node: exp.Expression
    if isinstance(bound.query, exp.Table):
        node = bound.query.copy()
    else:
        node = exp.Subquery(this=bound.query, alias=None if lateral else alias)
    if lateral:
        node = exp.Lateral(this=node, alias=alias)
    return node, DerivedRelation(rows.renamed(bound, _column_names(origin)).outputs)


def _column_names(origin: exp.Expression) -> list[exp.Identifier]:
    alias = origin.args.get("alias")
    return list(alias.args.get("columns") or ()) if alias is not None else []


def _scan(
    worker: SnapshotQueries,
    name: str,
    node: exp.Identifier,
    named: Mapping[str, View],
    formats: Extracted,
) -> ScanDraft:
    window, key = None, None
    if formats.key:
        window, plain = windowed_name(formats.key.name)
        key = format_named(plain, formats.key.span)
    value = format_named(formats.value.name, formats.value.span) if formats.value else None
    name = worker.synonyms.get(name, name)
    topic = worker.catalog.topic(name, key, value) if worker.catalog.describe(name) is not None else None
    if topic is None:
        message = f"there is no topic `{name}`"
        way_out = did_you_mean(name, [*named, *worker.catalog.names()])
        raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span_of(node), way_out)
    reads = TopicReads(topic.with_window(window), worker.names)
    draft = ScanDraft(f"{worker.prefix}t{len(worker.scans)}", reads)
    worker.scans.append(draft)
    return draft


# Joins


def _join(
    worker: SnapshotQueries,
    join: exp.Expression,
    node: exp.Expression,
    sources: Sources,
    named: Mapping[str, View],
) -> exp.Join:
    for key in ("within", "grace"):
        if join.args.get(key) is not None:
            message = f"{key.upper()} belongs to joins of streams, and this query runs once"
            raise refusal(codes.NOT_YET, message, nearest_span(join.args[key]))
    built = exp.Join(this=node)
    method = join.args.get("method")
    if method == "POSITIONAL":
        message = "records of topics have no position to be joined by"
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(join), "write ON")
    for key in ("side", "kind", "method"):
        if join.args.get(key) and join.args[key] != "NATURAL":
            built.set(key, join.args[key])
    within = worker.expressions(sources, named)
    on = join.args.get("on")
    if method == "NATURAL":
        built.set("on", _using(within, join, sources, _shared(join, sources)))
    elif on is not None:
        built.set("on", within.condition(on, "ON"))
    elif join.args.get("using"):
        built.set("on", _using(within, join, sources, join.args["using"]))
    elif _needs_condition(join):
        built.set("on", _same_key(within, join, sources))
    if join.args.get("kind") in _ONE_SIDED:
        sources.scopes.pop()
    return built


def _needs_condition(join: exp.Expression) -> bool:
    return join.args.get("kind") != "CROSS" and bool(join.args.get("kind") or join.args.get("side"))


def _shared(join: exp.Expression, sources: Sources) -> list[exp.Identifier]:
    """Give the names that both sides of a NATURAL JOIN have."""
    left, right = sources.left_of_last().columns(), Sources(sources.scopes[-1:]).columns()
    found = [exp.to_identifier(name, quoted=True) for name in left if name in right]
    if not found:
        message = "the two sides of the NATURAL JOIN have no column in common"
        raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(join), "write ON")
    place = nearest_span(join)
    for name in found:
        if place is not None:
            set_span(name, place)
    return found


def _using(
    within: Expressions, join: exp.Expression, sources: Sources, names: list[exp.Identifier]
) -> exp.Expression:
    """Give the condition of USING, and make each pair of columns one."""
    right = sources.scopes[-1]
    left = sources.left_of_last()
    found: exp.Expression | None = None
    for name in names:
        sides = left.resolve([name]), right.resolve([name])
        assert isinstance(sides[0], Typed)
        assert isinstance(sides[1], Typed)
        need_comparable(within, name, (name, sides[0]), (name, sides[1]))
        pair = exp.EQ(this=sides[0].node.copy(), expression=sides[1].node.copy())
        found = pair if found is None else exp.And(this=found, expression=pair)
        if join.args.get("kind") in _ONE_SIDED:
            continue
        sources.merged[name.name] = _merged(within, join, name, sides[0], sides[1])
        sources.merged_away.add((right.alias, name.name))
    assert found is not None
    return found


def _merged(
    within: Expressions, join: exp.Expression, name: exp.Identifier, left: Typed, right: Typed
) -> Typed:
    side = join.args.get("side")
    if side == "RIGHT":
        return right
    if side == "FULL":
        both = exp.Coalesce(this=left.node.copy(), expressions=[right.node.copy()])
        return within.typed(both, nullable=True, origin=name)
    return left


def _same_key(within: Expressions, join: exp.Expression, sources: Sources) -> exp.Expression:
    """Give the condition of a join without ON: both records have one key."""
    left, right = sources.scopes[-2], sources.scopes[-1]
    keys = []
    for scope in (left, right):
        try:
            keys.append(scope.relation.pull(Facet.KEY, ()))
        except NoSuchField:
            message = f"`{scope.alias}` has no key to join by"
            raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(join), "write ON") from None
    need_comparable(within, join, (join, keys[0]), (join, keys[1]))
    return exp.EQ(this=keys[0].node, expression=keys[1].node)
