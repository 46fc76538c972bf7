SET autocreate=true;
INSERT INTO lately SELECT STREAM customer, amount, SUM(amount) OVER (PARTITION BY customer ORDER BY _meta.timestamp RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) AS total FROM orders GRACE BY 5s;
INSERT INTO ever SELECT STREAM customer, MAX(amount) OVER (PARTITION BY customer ORDER BY _meta.timestamp RANGE UNBOUNDED PRECEDING) AS most FROM orders GRACE BY 5s;
