"""Geohashes, polygons and distances against slow twins in Python."""

from __future__ import annotations

import math
import random

import pytest

from tests.unit.functions.duckdb_calls import connection, evaluate, rendered

LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"


def geohash(lat: float, lon: float, length: int) -> str:
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    found, letter = "", 0
    for bit in range(5 * length):
        bounds, value = ranges[bit % 2], (lon, lat)[bit % 2]
        middle = (bounds[0] + bounds[1]) / 2
        upper = value >= middle
        bounds[0 if upper else 1] = middle
        letter = letter * 2 + upper
        if bit % 5 == 4:
            found, letter = found + LETTERS[letter], 0
    return found


def inside(lat: float, lon: float, ring: list[tuple[float, float]]) -> bool:
    turns = 0.0
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
        turn = math.atan2(y2 - lat, x2 - lon) - math.atan2(y1 - lat, x1 - lon)
        turns += (turn + math.pi) % (2 * math.pi) - math.pi
    return abs(turns) > math.pi


def computed(call: str, rows: list[tuple[float, ...]]) -> list[object]:
    shown = ", ".join(f"({', '.join(f'{value!r}::DOUBLE' for value in row)})" for row in rows)
    sql = rendered(call).sql(dialect="duckdb")
    found = connection().execute(f"SELECT {sql} FROM (VALUES {shown}) AS t(a, b)").fetchall()
    return [value for (value,) in found]


def places(seed: int, count: int) -> list[tuple[float, float]]:
    choose = random.Random(seed)
    return [(choose.uniform(-90, 90), choose.uniform(-180, 180)) for _ in range(count)]


@pytest.mark.parametrize("length", [1, 2, 5, 8, 12])
def test_geohashes_are_those_of_halving(length: int) -> None:
    rows = [*places(length, 60), (90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)]
    assert computed(f"GEOHASH(a, b, {length})", list(rows)) == [geohash(*row, length) for row in rows]


def decoded(hashes: list[str]) -> list[tuple[float, float]]:
    rows = ", ".join(f"('{text}')" for text in hashes)
    sql = rendered("GEOHASH_DECODE(a)").sql(dialect="duckdb")
    found = connection().execute(f"SELECT x.lat, x.lon FROM (SELECT {sql} AS x FROM (VALUES {rows}) AS t(a))")
    return [(lat, lon) for lat, lon in found.fetchall()]


@pytest.mark.parametrize("length", [1, 2, 7, 12])
def test_decoding_gives_the_middle_of_the_cell(length: int) -> None:
    rows = places(length, 60)
    found = decoded([geohash(*row, length) for row in rows])
    height, width = 180 / 2 ** (5 * length // 2), 360 / 2 ** ((5 * length + 1) // 2)
    for (lat, lon), (exact_lat, exact_lon) in zip(found, rows, strict=True):
        assert abs(lat - exact_lat) <= height / 2
        assert abs(lon - exact_lon) <= width / 2
        assert math.isclose((lat + 90) / height % 1, 0.5, rel_tol=1e-3)
        assert math.isclose((lon + 180) / width % 1, 0.5, rel_tol=1e-3)


@pytest.mark.parametrize(
    "polygon",
    [
        "[[0, 0], [40, 10], [30, 50], [5, 30], [15, 20]]",
        "[{'lat': 0, 'lon': 0}, {'lat': 10, 'lon': 40}, {'lat': 50, 'lon': 30}, {'lat': 30, 'lon': 5}, {'lat': 20, 'lon': 15}]",
        """'{"type": "Feature", "geometry": {"type": "MultiPolygon", """
        """"coordinates": [[[[0,0],[40,10],[30,50],[5,30],[15,20],[0,0]]]]}}'""",
    ],
    ids=["pairs", "records", "geojson"],
)
def test_points_are_where_the_winding_number_says(polygon: str) -> None:
    choose = random.Random(3)
    rows = [(choose.uniform(-5, 55), choose.uniform(-5, 45)) for _ in range(300)]
    ring = [(0.0, 0.0), (40.0, 10.0), (30.0, 50.0), (5.0, 30.0), (15.0, 20.0)]
    found = computed(f"IN_POLYGON(a, b, {polygon})", list(rows))
    assert found == [inside(lat, lon, ring) for lat, lon in rows]
    assert True in found
    assert False in found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("DISTANCE(91, 0, 0, 0)", "latitude"),
        ("DISTANCE(1, 0, 0, 0, 'FT')", "unit"),
        ("GEOHASH(91, 0)", "not on the Earth"),
        ("GEOHASH(0, 0, 13)", "length"),
        ("GEOHASH_DECODE('a')", "no geohash"),
        ("GEOHASH_DECODE('')", "no geohash"),
        ("""IN_POLYGON(0, 0, '{"type": "Point", "coordinates": [1, 2]}')""", "no polygon"),
        ("IN_POLYGON(0, 0, 'no json')", "JSON"),
    ],
)
def test_what_has_no_result_fails(call: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        evaluate(call)


@pytest.mark.parametrize(
    "call",
    [
        "DISTANCE(NULL, 0, 0, 0)",
        "DISTANCE(0, 0, 0, 0, NULL)",
        "GEOHASH(0, NULL)",
        "GEOHASH(0, 0, NULL)",
        "GEOHASH_DECODE(NULL)",
        "IN_POLYGON(0, NULL, [[0, 0], [1, 0], [1, 1]])",
        "IN_POLYGON(0, 0, CAST(NULL AS STRING))",
    ],
)
def test_null_gives_null(call: str) -> None:
    assert evaluate(call)[1] is None


def test_an_empty_polygon_holds_nothing() -> None:
    assert evaluate("""IN_POLYGON(0, 0, '{"type": "Polygon", "coordinates": []}')""")[1] == "false"
