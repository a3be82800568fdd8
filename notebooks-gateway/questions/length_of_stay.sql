SELECT s.outcome,
       age_band(p.birth_date, month_of(s.admission_date), 10) AS age,
       count(*) AS stays,
       avg(s.length_of_stay) AS mean_days
FROM person p
JOIN dpc_stay s ON s.person_id = p.person_id
GROUP BY ROLLUP (s.outcome, age_band(p.birth_date, month_of(s.admission_date), 10))
