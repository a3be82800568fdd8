WITH steps AS (SELECT person_id, care_level,
                      lag(care_level) OVER (PARTITION BY person_id ORDER BY service_month) AS earlier
               FROM care_claim)
SELECT earlier, care_level, count(DISTINCT person_id) AS persons
FROM steps
WHERE earlier IS NOT NULL
GROUP BY earlier, care_level
