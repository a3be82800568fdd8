WITH first AS (SELECT person_id, min(service_month) AS index_month FROM ndb_diagnosis
               WHERE icd10 LIKE 'E11%' AND NOT is_suspected GROUP BY person_id)
SELECT f.index_month, age_band(p.birth_date, f.index_month, 30) AS age, p.sex,
       count(DISTINCT f.person_id) AS persons
FROM first f JOIN person p ON p.person_id = f.person_id
WHERE f.index_month >= add_months(p.first_month, 3)
GROUP BY f.index_month, age_band(p.birth_date, f.index_month, 30), p.sex
