SELECT drug_class, prefecture, count(DISTINCT person_id) AS persons, sum(times) AS times
FROM ndb_drug
GROUP BY drug_class, prefecture
