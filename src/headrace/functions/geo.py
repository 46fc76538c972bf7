"""Functions on places on the Earth. Latitudes and longitudes are degrees; WGS 84 is taken for a sphere."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function
from headrace.functions.signature import signature

FAMILY: Final = "geo"

_UNITS: Final = "CASE upper(u) WHEN 'M' THEN 1.0 WHEN 'KM' THEN 0.001 WHEN 'MI' THEN 1 / 1609.344 WHEN 'NM' THEN 1 / 1852.0 "

_HAVERSINE: Final = (
    "2 * 6371008.8 * asin(sqrt(least(1.0, pow(sin(radians(lat2 - lat1) / 2), 2) "
    "+ cos(radians(lat1)) * cos(radians(lat2)) * pow(sin(radians(lon2 - lon1) / 2), 2))))"
)

_CHECKED: Final = (
    "CASE WHEN abs(lat1) > 90 OR abs(lat2) > 90 OR isnan(lat1) OR isnan(lat2) "
    "THEN error('DISTANCE was given a latitude outside -90 to 90') "
    "WHEN lat1 + lat2 + lon1 + lon2 IS NOT NULL THEN "
)

_LETTERS: Final = "0123456789bcdefghjkmnpqrstuvwxyz"
_HALF: Final = 30
"""Bits of each coordinate in a geohash of twelve letters."""

_CELL: Final = "CAST(least(floor(({0} + {1}) / {2} * 1073741824), 1073741823) AS BIGINT)"

_BITS: Final = " + ".join(
    # Bits of longitude and latitude take turns, longitude first; letters take five of them.
    f"(((CASE WHEN (5 * i + {bit}) % 2 = 0 THEN c.x ELSE c.y END) "
    f">> CAST({_HALF - 1} - (5 * i + {bit}) // 2 AS INTEGER)) & 1) * {16 >> bit}"
    for bit in range(5)
)


def _encoded(length: str) -> str:
    return (
        "CASE WHEN abs(lat) > 90 OR isnan(lat) OR abs(lon) > 180 OR isnan(lon) "
        "THEN error('GEOHASH was given a place that is not on the Earth') "
        f"WHEN {length} < 1 OR {length} > 12 THEN error('GEOHASH was given a length outside 1 to 12') "
        f"WHEN lat IS NOT NULL AND lon IS NOT NULL AND {length} IS NOT NULL "
        f"THEN array_to_string(list_transform([{{'x': {_CELL.format('lon', 180, 360)}, "
        f"'y': {_CELL.format('lat', 90, 180)}}}], lambda c: array_to_string(list_transform(range({length}), "
        f"lambda i: substr('{_LETTERS}', CAST({_BITS} AS INTEGER) + 1, 1)), '')), '') END"
    )


def _centre(first: int, offset: int, size: int) -> str:
    """Give the text for the middle of a cell: of longitude (bits 0, 2, …) or latitude (bits 1, 3, …)."""
    count = f"((5 * len(v) + {1 - first}) // 2)"
    bit = f"((v[CAST((2 * k + {first}) // 5 + 1 AS INTEGER)] >> CAST(4 - (2 * k + {first}) % 5 AS INTEGER)) & 1)"
    value = (
        f"list_sum(list_transform(range(CAST({count} AS BIGINT)), lambda k: {bit} * pow(2, {count} - 1 - k)))"
    )
    return f"(coalesce({value}, 0) + 0.5) / pow(2, {count}) * {size} - {offset}"


_DECODED: Final = (
    "CASE WHEN regexp_full_match(lower(h), '[0-9b-hjkmnp-z]{1,12}') THEN list_extract(list_transform("
    f"[list_transform(string_split(lower(h), ''), lambda s: strpos('{_LETTERS}', s) - 1)], "
    f"lambda v: {{'lat': {_centre(1, 90, 180)}, 'lon': {_centre(0, 180, 360)}}}), 1) "
    "WHEN h IS NOT NULL THEN error('GEOHASH_DECODE was given a text that is no geohash') END"
)


def _crossings(x: str, y: str) -> str:
    """Give the text for how many edges of ring `r` a ray from the point to the east crosses.

    Args:
        x: of the point with number `{i}` of the ring, its longitude.
        y: its latitude.
    """
    here, there = "i", "(i % len(r) + 1)"
    x1, y1, x2, y2 = (part.format(i=i) for i in (here, there) for part in (x, y))
    crosses = f"(({y1} > lat) <> ({y2} > lat)) AND lon < ({x2} - {x1}) * (lat - {y1}) / ({y2} - {y1}) + {x1}"
    return f"len(list_filter(range(1, len(r) + 1), lambda i: {crosses}))"


_OF_PAIRS: Final = _crossings("r[CAST({i} AS INTEGER)][1]", "r[CAST({i} AS INTEGER)][2]")
_OF_RECORDS: Final = _crossings("r[CAST({i} AS INTEGER)].lon", "r[CAST({i} AS INTEGER)].lat")


def _inside(rings: str, crossings: str) -> str:
    counted = f"list_sum(list_transform({rings}, lambda r: {crossings}))"
    return f"CASE WHEN lat IS NOT NULL AND lon IS NOT NULL AND p IS NOT NULL THEN coalesce({counted}, 0) % 2 = 1 END"


_TEXT: Final = (
    "CASE WHEN json_valid(p) THEN p WHEN p IS NOT NULL "
    "THEN error('IN_POLYGON was given a text that is no JSON') END"
)
_GEOMETRY: Final = (
    # Named by a lambda: of a constant DuckDB would compute the CASE while it compiles, where no record can be blamed.
    f"list_extract(list_transform([{_TEXT}], lambda t: CASE json_extract_string(t, '$.type') "
    "WHEN 'Feature' THEN json_extract(t, '$.geometry') ELSE CAST(t AS JSON) END), 1)"
)
_RINGS: Final = (
    "list_extract(list_transform("
    f"[{_GEOMETRY}], lambda g: CASE json_extract_string(g, '$.type') "
    "WHEN 'Polygon' THEN CAST(json_extract(g, '$.coordinates') AS DOUBLE[][][]) "
    "WHEN 'MultiPolygon' THEN flatten(CAST(json_extract(g, '$.coordinates') AS DOUBLE[][][][])) "
    "ELSE error('IN_POLYGON was given GeoJSON that is no polygon') END), 1)"
)

_SQUARE: Final = '{"type": "Polygon", "coordinates": [[[0,0],[10,0],[10,10],[0,10],[0,0]], [[4,4],[6,4],[6,6],[4,6],[4,4]]]}'

FUNCTIONS: Final = (
    Function(
        name="DISTANCE",
        family=FAMILY,
        signatures=(
            signature("lat1 NUMBER, lon1 NUMBER, lat2 NUMBER, lon2 NUMBER", "DOUBLE"),
            signature("lat1 NUMBER, lon1 NUMBER, lat2 NUMBER, lon2 NUMBER, unit STRING", "DOUBLE"),
        ),
        description="Gives the distance between two places along the surface of a sphere with the Earth's mean radius "
        "(haversine), in metres, or in the unit `M`, `KM`, `MI` (miles) or `NM` (nautical miles). The true distance differs "
        "by up to 0.5 percent. A latitude outside -90 to 90, or another unit, fails the record.",
        macro=(
            f"(lat1, lon1, lat2, lon2) AS {_CHECKED} {_HAVERSINE} END",
            f"(lat1, lon1, lat2, lon2, u) AS {_CHECKED} {_UNITS} "
            "ELSE CASE WHEN u IS NOT NULL THEN error('DISTANCE was given a unit that it does not know') END END "
            f"* {_HAVERSINE} END",
        ),
        examples=(
            Example("ROUND(DISTANCE(37.9, 23.6, 35.3, 25.1))", "318598.0"),
            Example("ROUND(DISTANCE(0, 0, 0, 1, 'NM'), 2)", "60.04"),
            Example("DISTANCE(10, 20, 10, 20)", "0.0"),
        ),
    ),
    Function(
        name="GEOHASH",
        family=FAMILY,
        signatures=(
            signature("lat NUMBER, lon NUMBER", "STRING"),
            signature("lat NUMBER, lon NUMBER, length INT", "STRING"),
        ),
        description="Gives the geohash of a place, of `length` letters (1 to 12, which is the default). Places with the same "
        "first letters are near each other. A place that is not on the Earth, or another length, fails the record.",
        macro=(
            f"(lat, lon) AS {_encoded('12')}",
            f"(lat, lon, n) AS {_encoded('n')}",
        ),
        examples=(
            Example("GEOHASH(57.64911, 10.40744, 11)", "'u4pruydqqvj'"),
            Example("GEOHASH(-90, 180, 5)", "'pbpbp'"),
            Example("GEOHASH(0, 0)", "'s00000000000'"),
        ),
    ),
    Function(
        name="GEOHASH_DECODE",
        family=FAMILY,
        signatures=(signature("geohash STRING", "RECORD(lat DOUBLE, lon DOUBLE)"),),
        description="Gives the middle of the cell that a geohash of 1 to 12 letters names. Case does not count. A text that is "
        "no geohash fails the record.",
        macro=(f"(h) AS {_DECODED}",),
        examples=(
            Example(
                "GEOHASH(GEOHASH_DECODE('u4pruydqqvj').lat, GEOHASH_DECODE('u4pruydqqvj').lon, 11)",
                "'u4pruydqqvj'",
            ),
            Example("GEOHASH_DECODE('s')", "{'lat': CAST(22.5 AS DOUBLE), 'lon': CAST(22.5 AS DOUBLE)}"),
        ),
    ),
    Function(
        name="IN_POLYGON",
        aliases=("POINT_IN_POLYGON",),
        family=FAMILY,
        signatures=(signature("lat NUMBER, lon NUMBER, polygon STRING|ARRAY", "BOOLEAN"),),
        description="Says whether a place is in a polygon: GeoJSON text (a Polygon, a MultiPolygon, or a Feature of one; inner "
        "rings are holes), an array of records with `lat` and `lon`, or an array of arrays `[lon, lat]`, as GeoJSON has them. "
        "The last point need not repeat the first. Edges are straight in degrees and must not cross the antimeridian. A place on "
        "an edge may count as inside or outside. An empty polygon holds nothing; a text that is no JSON "
        "and GeoJSON of another kind fail the record.",
        macro=(
            f"(lat DOUBLE, lon DOUBLE, p VARCHAR) AS {_inside(_RINGS, _OF_PAIRS)}",
            f"(lat DOUBLE, lon DOUBLE, p DOUBLE[][]) AS {_inside('[p]', _OF_PAIRS)}",
            f"(lat DOUBLE, lon DOUBLE, p STRUCT(lat DOUBLE, lon DOUBLE)[]) AS {_inside('[p]', _OF_RECORDS)}",
        ),
        examples=(
            Example(f"IN_POLYGON(2, 2, '{_SQUARE}')", "true"),
            Example(f"IN_POLYGON(5, 5, '{_SQUARE}')", "false"),
            Example("IN_POLYGON(1, 2, [[0, 0], [4, 0], [4, 4]])", "true"),
        ),
    ),
)
