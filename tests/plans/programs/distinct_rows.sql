SET autocreate=true;
INSERT INTO customers SELECT STREAM DISTINCT customer FROM orders;
