SELECT months_band(d.service_month, c.service_month, 6) AS months_since,
       c.care_level,
       count(DISTINCT p.person_id) AS persons
FROM person p
JOIN ndb_diagnosis d ON d.person_id = p.person_id
JOIN care_claim c ON c.person_id = p.person_id
WHERE d.icd10 LIKE 'E11%'
  AND c.service_month >= d.service_month
  AND c.service_month <= add_months(d.service_month, 24)
GROUP BY months_band(d.service_month, c.service_month, 6), c.care_level
