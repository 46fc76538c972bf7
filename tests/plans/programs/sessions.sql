SET autocreate=true;
INSERT INTO trips SELECT STREAM MMSI, COUNT(*) AS n, FIRST(Latitude) AS start_at, LAST(Latitude) AS end_at FROM positions WINDOW BY SESSION 30m GROUP BY MMSI;
