SET autocreate=true;
INSERT INTO top SELECT STREAM customer, amount, place
FROM (SELECT STREAM customer, amount, ROW_NUMBER() OVER (PARTITION BY customer ORDER BY amount DESC) AS place FROM orders) WHERE place <= 3;
