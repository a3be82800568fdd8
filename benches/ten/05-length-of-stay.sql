SELECT ch.dpc6, count(DISTINCT s.person_id) AS persons, avg(s.length_of_stay) AS mean_days,
       stddev(s.length_of_stay) AS deviation, median(s.length_of_stay) AS median_days
FROM dpc_stay s
JOIN dpc_charge ch ON ch.person_id = s.person_id AND ch.stay_id = s.stay_id
WHERE ch.data_category = '93'
GROUP BY ch.dpc6
