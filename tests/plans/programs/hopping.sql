SET autocreate=true;
INSERT INTO speeds SELECT STREAM MMSI, MAX(Speed) AS top FROM positions WINDOW BY HOP 10m,1m GROUP BY MMSI;
