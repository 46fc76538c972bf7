SET autocreate=true;
SET topic.retention.ms='-1';

INSERT INTO delayed_long_haul
SELECT STREAM
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    distance,
    arr_delay,
    arr_delay - dep_delay AS lost_in_the_air,
    distance * 60.0 / air_time AS miles_an_hour,
    time_hour
FROM flights
WHERE distance > 1500 AND arr_delay > 60;
