SET autocreate=true;
INSERT INTO countries SELECT TABLE address.country AS country, COUNT(*) AS n, AVG(amount) AS mean FROM orders GROUP BY address.country;
