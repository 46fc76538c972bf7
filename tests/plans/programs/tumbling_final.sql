SET autocreate=true;
SET late.topic='late';
INSERT INTO minutes SELECT STREAM customer, SUM(quantity) AS items, _window.start AS since FROM orders EVENTTIME BY placed
WINDOW BY TUMBLE 1m GRACE BY 10s GROUP BY customer EMIT FINAL;
