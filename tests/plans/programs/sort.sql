SET autocreate=true;
INSERT INTO sorted SELECT STREAM customer, amount FROM orders EVENTTIME BY placed ORDER BY placed, amount DESC GRACE BY 10s;
