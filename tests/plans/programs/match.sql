SET autocreate=true;
INSERT INTO rises SELECT STREAM * FROM orders MATCH_RECOGNIZE (
  PARTITION BY customer ORDER BY _meta.timestamp
  MEASURES a.id AS first, LAST(b.id) AS last, SUM(b.amount) AS amount, COUNT(*) AS n
  AFTER MATCH SKIP TO LAST b
  PATTERN (a (b{2,}? | c d)) WITHIN 1h
  DEFINE b AS amount > LAST(amount, 1) * 1.5 AND PREV(paid), c AS NOT paid AND quantity > a.quantity
);
