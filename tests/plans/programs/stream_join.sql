SET autocreate=true;
INSERT INTO out SELECT STREAM o.id, p.Speed FROM orders o LEFT JOIN positions p ON o.id = p.MMSI WITHIN 5m;
