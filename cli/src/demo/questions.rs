//! The questions that the demo asks.

/// A question with what it is about.
pub(super) struct Asked {
    pub(super) ja: &'static str,
    pub(super) en: &'static str,
    pub(super) sql: &'static str,
}

/// Five questions over linked data.
pub(super) const QUESTIONS: [Asked; 5] = [
    Asked {
        ja: "2型糖尿病の診断から2年以内に要介護認定を新規申請した人（年齢階級・性別）",
        en: "people with type 2 diabetes who first applied for care within two years, by age band and sex",
        sql: "SELECT bucket(age(p.birth_date, month_of(c.application_date)), 65, 75, 85) AS age,
       p.sex AS sex, count(DISTINCT p.person_id) AS persons
FROM person p
JOIN ndb_diagnosis d ON d.person_id = p.person_id
JOIN care_certification c ON c.person_id = p.person_id
WHERE d.icd10 LIKE 'E11%' AND c.application_class = '1'
  AND c.application_date >= d.service_month
  AND c.application_date <= add_months(d.service_month, 24)
GROUP BY bucket(age(p.birth_date, month_of(c.application_date)), 65, 75, 85), p.sex",
    },
    Asked {
        ja: "DPC分類・年齢階級別の在院日数",
        en: "length of stay by DPC classification and age",
        sql: "SELECT ch.dpc6 AS disease, age_band(p.birth_date, month_of(s.admission_date), 30) AS age,
       count(DISTINCT s.person_id) AS persons, avg(s.length_of_stay) AS mean_days
FROM dpc_stay s
JOIN person p ON p.person_id = s.person_id
JOIN dpc_charge ch ON ch.person_id = s.person_id AND ch.stay_id = s.stay_id
WHERE ch.data_category = '93' AND ch.period_from = s.admission_date
GROUP BY ch.dpc6, age_band(p.birth_date, month_of(s.admission_date), 30)",
    },
    Asked {
        ja: "脳梗塞による入院の前後での抗血小板薬・スタチンの使用（6か月ごと）",
        en: "antiplatelets and statins before and after admission for stroke, by half-year",
        sql: "SELECT d.drug_class AS class, months_band(s.admission_date, d.service_month, 6) AS months,
       count(DISTINCT s.person_id) AS persons
FROM dpc_stay s
JOIN ndb_drug d ON d.person_id = s.person_id
WHERE s.resource_icd10 LIKE 'I63%' AND d.drug_class IN ('antiplatelet', 'statin')
  AND d.service_month >= add_months(s.admission_date, -12)
  AND d.service_month < add_months(s.admission_date, 12)
GROUP BY d.drug_class, months_band(s.admission_date, d.service_month, 6)",
    },
    Asked {
        ja: "脳梗塞による入院からの経過月数と要介護度",
        en: "care level by months since admission for stroke",
        sql: "SELECT months_band(s.admission_date, c.service_month, 6) AS months, c.care_level AS care_level,
       count(DISTINCT s.person_id) AS persons, avg(c.service_units) AS mean_units
FROM dpc_stay s
JOIN care_claim c ON c.person_id = s.person_id
WHERE s.resource_icd10 LIKE 'I63%' AND c.service_month >= s.admission_date
GROUP BY months_band(s.admission_date, c.service_month, 6), c.care_level",
    },
    Asked {
        ja: "新規に透析を始めた人（都道府県・年度、合計つき）",
        en: "people who newly started dialysis, by prefecture and fiscal year, with totals",
        sql: "SELECT n.prefecture AS prefecture, fiscal_year(n.service_month) AS year,
       count(DISTINCT n.person_id) AS persons
FROM ndb_procedure n
LEFT JOIN ndb_procedure e ON e.person_id = n.person_id AND e.procedure_code = '199900060'
  AND e.service_month < n.service_month
WHERE n.procedure_code = '199900060' AND e.person_id IS NULL
GROUP BY ROLLUP (n.prefecture, fiscal_year(n.service_month))",
    },
];

/// A question that is refused, with its explanation.
pub(super) const REFUSED_QUESTION: Asked = Asked {
    ja: "一人を取り出そうとする問い（断られます）",
    en: "a question that singles out one person (refused)",
    sql: "SELECT sex, sum(r.total_points)\nFROM person p JOIN ndb_receipt r ON r.person_id = p.person_id\nWHERE p.person_id = 4711\nGROUP BY sex",
};
