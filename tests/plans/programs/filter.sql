SET autocreate=true;
INSERT INTO fast SELECT STREAM MMSI, Speed FROM positions WHERE Speed > 10;
