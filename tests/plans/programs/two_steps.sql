SET autocreate=true;
WITH counts AS (SELECT STREAM customer, COUNT(*) AS n FROM orders GROUP BY customer)
INSERT INTO sizes SELECT STREAM n, COUNT(*) AS customers FROM counts GROUP BY n;
