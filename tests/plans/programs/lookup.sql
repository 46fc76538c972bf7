SET autocreate=true;
INSERT INTO out SELECT STREAM o.customer, p.amount FROM orders AS o LEFT JOIN orders_by_id AS p ON o.id = p._key;
