SELECT drug_class, service_month, count(DISTINCT person_id) AS persons
FROM ndb_drug
GROUP BY drug_class, service_month
ORDER BY persons DESC
LIMIT 100
