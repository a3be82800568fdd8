WITH months AS (SELECT person_id, service_month, count(DISTINCT drug_code) AS drugs
                FROM ndb_drug GROUP BY person_id, service_month)
SELECT age_band(p.birth_date, m.service_month, 10) AS age, count(DISTINCT m.person_id) AS persons,
       count(DISTINCT CASE WHEN m.drugs >= 5 THEN m.person_id END) AS on_five
FROM months m JOIN person p ON p.person_id = m.person_id
GROUP BY age_band(p.birth_date, m.service_month, 10)
