SELECT s.outcome, c.care_level, count(DISTINCT s.person_id) AS persons
FROM dpc_stay s
JOIN care_claim c ON c.person_id = s.person_id AND c.service_month = add_months(s.admission_month, 1)
GROUP BY s.outcome, c.care_level
