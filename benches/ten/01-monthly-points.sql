SELECT prefecture, service_month, sum(total_points) AS points, count(DISTINCT person_id) AS persons
FROM ndb_receipt
GROUP BY prefecture, service_month
