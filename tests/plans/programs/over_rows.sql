SET autocreate=true;
INSERT INTO means SELECT STREAM customer, amount, AVG(amount) OVER (PARTITION BY customer ORDER BY _meta.timestamp ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS mean FROM orders;
INSERT INTO totals SELECT STREAM customer, SUM(amount) OVER (PARTITION BY customer ORDER BY _meta.timestamp ROWS UNBOUNDED PRECEDING) AS total FROM orders;
INSERT INTO last_three SELECT TABLE customer, MAX(amount) OVER (PARTITION BY customer ORDER BY id DESC ROWS 2 PRECEDING) AS most FROM orders;
INSERT INTO places SELECT STREAM customer, amount, DENSE_RANK() OVER (PARTITION BY customer ORDER BY amount DESC) AS place FROM orders QUALIFY place <= 2;
