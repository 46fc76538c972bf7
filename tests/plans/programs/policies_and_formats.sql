SET autocreate=true;
SET error.policy='dlq';
SET dead.letter.queue='bad';
SET processing.guarantee='at_least_once';
INSERT INTO out STORE KEY AS JSON VALUE AS JSON SELECT STREAM id AS _key.a, amount, attributes FROM orders EVENTTIME BY placed;
