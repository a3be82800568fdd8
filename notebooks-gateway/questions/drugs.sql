SELECT g.drug_class,
       g.service_month,
       count(DISTINCT g.person_id) AS persons,
       sum(g.points) AS points
FROM ndb_drug g
WHERE g.setting = 'outpatient'
GROUP BY g.drug_class, g.service_month
