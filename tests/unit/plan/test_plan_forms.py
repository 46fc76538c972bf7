"""JSON, fingerprints and drawings of plans."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from headrace.plan.explain import EXPLAIN_FORMATS, explain
from headrace.plan.fingerprint import fingerprint
from headrace.plan.serde import from_json, to_json
from headrace.plan.topology import RunSettings, Topology
from headrace.plan.types_json import type_from_json, type_to_json
from tests.unit.planner.topics import plan

PROGRAM = """
SET dead.letter.queue='bad'; SET error.policy='dlq';
INSERT INTO out STORE KEY AS JSON SELECT STREAM id AS _key.a, amount, `lines`, attributes FROM orders EVENTTIME BY placed;
INSERT INTO fast SELECT STREAM * FROM positions WHERE Speed > 10
"""


def test_a_plan_reads_back_as_itself() -> None:
    topology = plan(PROGRAM)
    assert from_json(to_json(topology)) == replace(topology, warnings=())


def test_client_properties_are_not_saved() -> None:
    settings = RunSettings(client={"sasl.password": "secret"})
    assert "secret" not in to_json(Topology({}, {}, (), settings))


def test_a_plan_of_a_newer_release_is_refused() -> None:
    data = json.loads(to_json(plan(PROGRAM)))
    data["version"] = 99
    with pytest.raises(ValueError, match="version 99"):
        from_json(json.dumps(data))


def test_any_other_json_is_no_plan() -> None:
    with pytest.raises(ValueError, match="no plan"):
        from_json('{"version": 1}')


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal128(20, 4),
        pa.binary(8),
        pa.timestamp("us", tz="UTC"),
        pa.map_(pa.string(), pa.list_(pa.struct([pa.field("a", pa.int32(), nullable=False)]))),
    ],
    ids=str,
)
def test_types_read_back(kind: pa.DataType) -> None:
    assert type_from_json(json.loads(json.dumps(type_to_json(kind)))).equals(kind)


def fingerprints(program: str) -> dict[str, str]:
    topology = plan(program)
    return {item.id: fingerprint(item, topology) for item in topology.pipelines}


def test_a_fingerprint_survives_edits_of_other_statements() -> None:
    alone = "INSERT INTO a SELECT STREAM id, customer FROM orders WHERE amount > 3"
    other = "INSERT INTO b SELECT STREAM placed, quantity, id FROM orders;"
    assert fingerprints(alone)["orders->a"] == fingerprints(other + alone)["orders->a"]


def test_a_fingerprint_survives_names_of_with_and_layout() -> None:
    one = "WITH q AS (SELECT STREAM id FROM orders); INSERT INTO a SELECT STREAM id FROM q"
    two = "WITH w AS (SELECT STREAM id\n FROM orders);\nINSERT INTO a SELECT STREAM id FROM w -- the same"
    assert fingerprints(one) == fingerprints(two)


@pytest.mark.parametrize(
    "changed",
    [
        "INSERT INTO a SELECT STREAM id FROM orders WHERE quantity > 4",
        "INSERT INTO a SELECT STREAM id FROM orders WHERE address.zip > 3",
        "INSERT INTO a SELECT STREAM id AS other FROM orders WHERE quantity > 3",
        "INSERT INTO a STORE KEY AS JSON SELECT STREAM id, id AS _key.k FROM orders WHERE quantity > 3",
    ],
)
def test_a_fingerprint_changes_with_the_work(changed: str) -> None:
    before = fingerprints("INSERT INTO a SELECT STREAM id FROM orders WHERE quantity > 3")
    assert fingerprints(changed) != before


@pytest.mark.parametrize("form", EXPLAIN_FORMATS)
def test_every_form_names_the_topics(form: str) -> None:
    shown = explain(plan(PROGRAM), form)
    for topic in ("orders", "positions", "out", "fast"):
        assert topic in shown


def test_graphs_escape_names() -> None:
    topology = plan('INSERT INTO out SELECT STREAM id AS `a"b` FROM orders')
    assert r"a\"b" in explain(topology, "dot")
    assert "a&quot;b" in explain(topology, "mermaid")


STATEFUL = (
    "WITH counts AS (SELECT STREAM customer, COUNT(*) AS n FROM orders WINDOW BY TUMBLE 1m GROUP BY customer EMIT FINAL);"
    "INSERT INTO out SELECT STREAM n, COUNT(*) AS c FROM counts GROUP BY n"
)


@pytest.mark.parametrize("form", ["mermaid", "dot"])
def test_graphs_show_operators_with_their_changelogs_and_repartition_topics(form: str) -> None:
    shown = explain(plan(STATEFUL), form)
    for name in ("out-aggregate: aggregate COUNT(*)", "out-aggregate-2: aggregate COUNT(*)"):
        assert name in shown
    for topic in ("out-aggregate-changelog", "out-aggregate-2-changelog", "out-aggregate-2-repartition"):
        assert f"{{application}}-{topic}" in shown


def test_an_edge_leads_from_each_input_to_its_operator() -> None:
    topology = plan("INSERT INTO out SELECT STREAM COUNT(*) AS n FROM orders GROUP BY _key")
    shown = explain(topology, "mermaid")
    for edge in ("t0 --> o0", "o0 --> c0", "o0 --> p0", "p0 --> t1"):
        assert f"  {edge}\n" in shown + "\n"


def test_a_plan_of_the_first_version_reads_as_it_did() -> None:
    topology = plan("INSERT INTO out SELECT STREAM id FROM orders")
    data = json.loads(to_json(topology))
    data["version"] = 1
    del data["operators"]
    for item in data["pipelines"]:
        del item["deletes"]
    assert from_json(json.dumps(data)) == replace(topology, warnings=())


def test_a_plan_with_operators_reads_back_as_itself() -> None:
    topology = plan(STATEFUL)
    assert topology.operators
    assert from_json(to_json(topology)) == replace(topology, warnings=())


def test_a_fingerprint_covers_the_operator_that_a_pipeline_reads() -> None:
    one = "INSERT INTO a SELECT STREAM COUNT(*) AS n FROM orders GROUP BY _key"
    two = one.replace("COUNT(*)", "COUNT(amount)")
    assert fingerprints(one) != fingerprints(two)
