WITH stays AS (SELECT person_id, outcome, admission_date,
                      lag(discharge_date) OVER (PARTITION BY person_id ORDER BY admission_date) AS earlier
               FROM dpc_stay)
SELECT outcome, count(DISTINCT person_id) AS persons,
       count(DISTINCT CASE WHEN admission_date <= add_months(earlier, 1) THEN person_id END) AS readmitted
FROM stays
GROUP BY outcome
