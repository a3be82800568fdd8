//! `/catalogue.jsonld`: the catalogue for other catalogues, as DCAT with the health profile's terms, in JSON-LD.
//!
//! One dataset for each database. What the environment cannot know (who publishes, whom to write to) is not invented:
//! the publisher is the operator of this address, and the contact is its first page. The profile's terms for EU law
//! and EU health data access bodies are left out: neither is there in Japan. No figure stands here.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{CatalogueTable, CatalogueView};
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::words;
use crate::gateway::Gateway;

/// The vocabularies.
const CONTEXT: [(&str, &str); 8] = [
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("foaf", "http://xmlns.com/foaf/0.1/"),
    ("vcard", "http://www.w3.org/2006/vcard/ns#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("dcatap", "http://data.europa.eu/r5r/"),
    ("healthdcatap", "http://healthdataportal.eu/ns/health#"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
];
/// Access only for those who were approved, as the EU's list of access rights calls it.
const NON_PUBLIC: &str = "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC";
const PUBLIC: &str = "http://publications.europa.eu/resource/authority/access-right/PUBLIC";
const HEALTH: &str = "http://publications.europa.eu/resource/authority/data-theme/HEAL";
const JAPAN: &str = "http://publications.europa.eu/resource/authority/country/JPN";
const STATISTICAL: &str = "http://publications.europa.eu/resource/authority/dataset-type/STATISTICAL";
/// Health care, as the health profile asks to name themes.
const HEALTH_CARE: &str = "https://www.wikidata.org/entity/Q31207";
/// ICD-10, as the health profile asks to name coding systems.
const ICD_10: &str = "https://www.wikidata.org/entity/P494";
const JAPANESE: &str = "http://publications.europa.eu/resource/authority/language/JPN";
const ENGLISH: &str = "http://publications.europa.eu/resource/authority/language/ENG";

pub(super) async fn export(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let view = match gateway.catalogue().await {
        Ok(view) => view,
        Err(error) => return problem::respond(&gateway, None, &Problem::Guard(error)).await,
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let scheme = if gateway.parts().settings.is_behind_tls { "https" } else { "http" };
    let base = host.map_or_else(|| "urn:misu:".to_owned(), |host| format!("{scheme}://{host}/"));
    let text = describe(&view, &base).to_string();
    ([(CONTENT_TYPE, "application/ld+json")], text).into_response()
}

/// A host with nothing else in it.
fn is_host(host: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '[' | ']');
    !host.is_empty() && host.len() <= 255 && host.chars().all(is_plain)
}

/// The catalogue with its datasets.
fn describe(view: &CatalogueView, base: &str) -> Value {
    let publisher = json!({
        "@type": "foaf:Agent",
        "@id": format!("{base}#operator"),
        "foaf:name": [ja("この環境の運用者"), en("the operator of this environment")],
    });
    let context: serde_json::Map<String, Value> =
        CONTEXT.iter().map(|(prefix, address)| ((*prefix).to_owned(), json!(address))).collect();
    let datasets: Vec<Value> =
        words::databases(view).into_iter().map(|name| dataset(view, name, base, &publisher)).collect();
    json!({
        "@context": context,
        "@id": format!("{base}catalogue"),
        "@type": "dcat:Catalog",
        "dct:title": [ja("御簾カタログ"), en("misu catalogue")],
        "dct:description": [
            ja("訪問型の解析環境で問うことのできる、連結された公的医療・介護データの一覧"),
            en("linked public health and care data that may be asked in a visiting environment"),
        ],
        "dct:publisher": publisher,
        "dct:language": [{ "@id": JAPANESE }, { "@id": ENGLISH }],
        "foaf:homepage": { "@id": base },
        "dcat:themeTaxonomy": { "@id": "http://publications.europa.eu/resource/authority/data-theme" },
        "dcat:dataset": datasets,
    })
}

fn dataset(view: &CatalogueView, name: &str, base: &str, publisher: &Value) -> Value {
    let named = words::database(name);
    let tables: Vec<&CatalogueTable> = view.tables.iter().filter(|table| table.database == name).collect();
    let is_public = tables.iter().flat_map(|table| &table.columns).all(|column| column.usage == "public");
    let list = |pick: &dyn Fn(&CatalogueTable) -> &str| {
        tables.iter().map(|table| pick(table)).collect::<Vec<_>>().join(", ")
    };
    let sources: std::collections::BTreeSet<&str> =
        tables.iter().map(|table| table.source.as_str()).collect();
    let mut dataset = json!({
        "@id": format!("{base}catalogue#{name}"),
        "@type": "dcat:Dataset",
        "dct:identifier": format!("{base}catalogue#{name}"),
        "dct:title": [ja(named.ja), en(if named.en.is_empty() { named.ja } else { named.en })],
        "dct:description": [ja(&list(&|table| &table.ja)), en(&list(&|table| &table.en))],
        "dct:publisher": publisher,
        "dct:accessRights": { "@id": if is_public { PUBLIC } else { NON_PUBLIC }, "@type": "dct:RightsStatement" },
        "dct:spatial": { "@id": JAPAN, "@type": "dct:Location" },
        "dct:language": [{ "@id": JAPANESE }, { "@id": ENGLISH }],
        "dct:provenance": {
            "@type": "dct:ProvenanceStatement",
            "skos:prefLabel": sources.into_iter().collect::<Vec<_>>().join("; "),
        },
        "dct:type": { "@id": STATISTICAL },
        "dcat:theme": { "@id": HEALTH },
        "healthdcatap:healthTheme": { "@id": HEALTH_CARE },
        "dcat:keyword": tables.iter().flat_map(|table| [ja(&table.ja), en(&table.en)]).collect::<Vec<_>>(),
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": [ja("この環境の運用者"), en("the operator of this environment")],
            "vcard:hasURL": { "@id": base },
        },
        "dcat:landingPage": { "@id": format!("{base}catalogue") },
        "healthdcatap:populationCoverage": [
            ja("提供データに現れる人々を、仮名のまま連結したもの"),
            en("the persons of the deliveries, linked under pseudonyms"),
        ],
    });
    let has_icd =
        tables.iter().flat_map(|table| &table.columns).any(|column| column.name.starts_with("icd10"));
    if let (Some(fields), true) = (dataset.as_object_mut(), has_icd) {
        fields.insert("healthdcatap:hasCodingSystem".to_owned(), json!({ "@id": ICD_10 }));
    }
    if let (Some(fields), Some((from, to))) = (dataset.as_object_mut(), &view.period) {
        let month = |value: &str| json!({ "@type": "xsd:gYearMonth", "@value": value });
        let period =
            json!({ "@type": "dct:PeriodOfTime", "dcat:startDate": month(from), "dcat:endDate": month(to) });
        fields.insert("dct:temporal".to_owned(), period);
    }
    dataset
}

fn ja(text: &str) -> Value {
    json!({ "@language": "ja", "@value": text })
}

fn en(text: &str) -> Value {
    json!({ "@language": "en", "@value": text })
}
