SET autocreate=true;
INSERT INTO totals
SELECT STREAM customer, COUNT(*) AS n, SUM(amount) AS total, MAX(amount) FILTER (WHERE paid) AS most, COUNT(DISTINCT id) AS orders
FROM orders GROUP BY customer HAVING COUNT(*) > 1;
