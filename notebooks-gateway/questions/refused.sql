SELECT p.birth_date,
       count(DISTINCT p.person_id) AS persons
FROM person p
GROUP BY p.birth_date
