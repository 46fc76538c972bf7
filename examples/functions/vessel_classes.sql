SET functions.file = 'vessel_functions.py';
SET defaults.topic.autocreate = true;
SET error.policy = 'continue';

INSERT INTO classes
SELECT STREAM name, VESSEL_CLASS(length, flag) AS class, KILOMETRES_PER_HOUR(speed) AS speed
FROM vessels;

INSERT INTO calls
SELECT STREAM name, call.port, call.number
FROM vessels LATERAL PORTS(route) AS call;

INSERT INTO speeds
SELECT TABLE COUNT(*) AS vessels, GEOMETRIC_AVERAGE(speed) AS speed
FROM vessels
GROUP BY flag;
