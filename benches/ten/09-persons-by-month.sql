SELECT service_month, count(DISTINCT person_id) AS persons
FROM ndb_receipt
GROUP BY service_month
