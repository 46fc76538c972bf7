SET autocreate=true;
INSERT INTO out SELECT TABLE o.amount, a.id AS archived FROM orders o FULL JOIN archive a ON o.id = a.id;
