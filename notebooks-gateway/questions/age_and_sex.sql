SELECT p.sex,
       age_band(p.birth_date, d.service_month) AS age,
       count(DISTINCT p.person_id) AS persons
FROM person p
JOIN ndb_diagnosis d ON d.person_id = p.person_id
WHERE d.icd10 LIKE 'E11%'
GROUP BY p.sex, age_band(p.birth_date, d.service_month)
