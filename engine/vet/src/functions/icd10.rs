//! The chapters and blocks of ICD-10, by ranges of three-character categories.
//!
//! Source: ICD-10（2013年版）準拠「疾病、傷害及び死因の統計分類」の分類表 (WHO, ICD-10 version 2013), the chapters with
//! short English names of ours. Where blocks lie within blocks (neoplasms, dorsopathies) the narrower one is taken;
//! accidents (W00-X59) are cut at the letter.

/// One chapter.
pub(super) struct Chapter {
    pub(super) code: &'static str,
    first: &'static str,
    last: &'static str,
    pub(super) ja: &'static str,
    pub(super) en: &'static str,
}

/// The chapter of a code; none where the code lies in no chapter.
pub(super) fn chapter(code: &str) -> Option<&'static str> {
    let category = category(code)?;
    let is_in = |chapter: &&Chapter| (chapter.first..=chapter.last).contains(&category);
    CHAPTERS.iter().find(is_in).map(|chapter| chapter.code)
}

/// The block of a code; none where the code lies in no block.
pub(super) fn block(code: &str) -> Option<&'static str> {
    let category = category(code)?;
    let after = BLOCKS.partition_point(|block| block.get(..3).is_some_and(|first| first <= category));
    let block = BLOCKS.get(after.checked_sub(1)?)?;
    let last = block.get(4..).unwrap_or(block);
    (category <= last).then_some(*block)
}

/// The three-character category of a code: a letter and two digits.
fn category(code: &str) -> Option<&str> {
    let category = code.get(..3)?;
    let [letter, tens, ones] = category.as_bytes() else { return None };
    (letter.is_ascii_uppercase() && tens.is_ascii_digit() && ones.is_ascii_digit()).then_some(category)
}

/// The chapters, by number.
pub(super) const CHAPTERS: [Chapter; 22] = [
    Chapter {
        code: "01",
        first: "A00",
        last: "B99",
        ja: "感染症及び寄生虫症",
        en: "certain infectious and parasitic diseases",
    },
    Chapter { code: "02", first: "C00", last: "D48", ja: "新生物＜腫瘍＞", en: "neoplasms" },
    Chapter {
        code: "03",
        first: "D50",
        last: "D89",
        ja: "血液及び造血器の疾患並びに免疫機構の障害",
        en: "blood, blood-forming organs and immune mechanism",
    },
    Chapter {
        code: "04",
        first: "E00",
        last: "E90",
        ja: "内分泌、栄養及び代謝疾患",
        en: "endocrine, nutritional and metabolic diseases",
    },
    Chapter {
        code: "05",
        first: "F00",
        last: "F99",
        ja: "精神及び行動の障害",
        en: "mental and behavioural disorders",
    },
    Chapter { code: "06", first: "G00", last: "G99", ja: "神経系の疾患", en: "nervous system" },
    Chapter {
        code: "07", first: "H00", last: "H59", ja: "眼及び付属器の疾患", en: "eye and adnexa"
    },
    Chapter {
        code: "08",
        first: "H60",
        last: "H95",
        ja: "耳及び乳様突起の疾患",
        en: "ear and mastoid process",
    },
    Chapter { code: "09", first: "I00", last: "I99", ja: "循環器系の疾患", en: "circulatory system" },
    Chapter { code: "10", first: "J00", last: "J99", ja: "呼吸器系の疾患", en: "respiratory system" },
    Chapter { code: "11", first: "K00", last: "K93", ja: "消化器系の疾患", en: "digestive system" },
    Chapter {
        code: "12",
        first: "L00",
        last: "L99",
        ja: "皮膚及び皮下組織の疾患",
        en: "skin and subcutaneous tissue",
    },
    Chapter {
        code: "13",
        first: "M00",
        last: "M99",
        ja: "筋骨格系及び結合組織の疾患",
        en: "musculoskeletal system and connective tissue",
    },
    Chapter {
        code: "14", first: "N00", last: "N99", ja: "腎尿路生殖器系の疾患", en: "genitourinary system"
    },
    Chapter {
        code: "15",
        first: "O00",
        last: "O99",
        ja: "妊娠、分娩及び産じょく",
        en: "pregnancy, childbirth and the puerperium",
    },
    Chapter {
        code: "16",
        first: "P00",
        last: "P96",
        ja: "周産期に発生した病態",
        en: "conditions originating in the perinatal period",
    },
    Chapter {
        code: "17",
        first: "Q00",
        last: "Q99",
        ja: "先天奇形、変形及び染色体異常",
        en: "congenital malformations and chromosomal abnormalities",
    },
    Chapter {
        code: "18",
        first: "R00",
        last: "R99",
        ja: "症状、徴候及び異常臨床所見等で他に分類されないもの",
        en: "symptoms, signs and abnormal findings",
    },
    Chapter {
        code: "19",
        first: "S00",
        last: "T98",
        ja: "損傷、中毒及びその他の外因の影響",
        en: "injury, poisoning and other consequences of external causes",
    },
    Chapter {
        code: "20",
        first: "V01",
        last: "Y98",
        ja: "傷病及び死亡の外因",
        en: "external causes of morbidity and mortality",
    },
    Chapter {
        code: "21",
        first: "Z00",
        last: "Z99",
        ja: "健康状態に影響を及ぼす要因及び保健サービスの利用",
        en: "factors influencing health status and contact with services",
    },
    Chapter {
        code: "22",
        first: "U00",
        last: "U99",
        ja: "特殊目的用コード",
        en: "codes for special purposes",
    },
];

/// The blocks, by first category.
pub(super) const BLOCKS: [&str; 238] = [
    "A00-A09", "A15-A19", "A20-A28", "A30-A49", "A50-A64", "A65-A69", "A70-A74", "A75-A79", "A80-A89",
    "A90-A99", "B00-B09", "B15-B19", "B20-B24", "B25-B34", "B35-B49", "B50-B64", "B65-B83", "B85-B89",
    "B90-B94", "B95-B98", "B99", "C00-C14", "C15-C26", "C30-C39", "C40-C41", "C43-C44", "C45-C49", "C50",
    "C51-C58", "C60-C63", "C64-C68", "C69-C72", "C73-C75", "C76-C80", "C81-C96", "C97", "D00-D09", "D10-D36",
    "D37-D48", "D50-D53", "D55-D59", "D60-D64", "D65-D69", "D70-D77", "D80-D89", "E00-E07", "E10-E14",
    "E15-E16", "E20-E35", "E40-E46", "E50-E64", "E65-E68", "E70-E90", "F00-F09", "F10-F19", "F20-F29",
    "F30-F39", "F40-F48", "F50-F59", "F60-F69", "F70-F79", "F80-F89", "F90-F98", "F99", "G00-G09", "G10-G14",
    "G20-G26", "G30-G32", "G35-G37", "G40-G47", "G50-G59", "G60-G64", "G70-G73", "G80-G83", "G90-G99",
    "H00-H06", "H10-H13", "H15-H22", "H25-H28", "H30-H36", "H40-H42", "H43-H45", "H46-H48", "H49-H52",
    "H53-H54", "H55-H59", "H60-H62", "H65-H75", "H80-H83", "H90-H95", "I00-I02", "I05-I09", "I10-I15",
    "I20-I25", "I26-I28", "I30-I52", "I60-I69", "I70-I79", "I80-I89", "I95-I99", "J00-J06", "J09-J18",
    "J20-J22", "J30-J39", "J40-J47", "J60-J70", "J80-J84", "J85-J86", "J90-J94", "J95-J99", "K00-K14",
    "K20-K31", "K35-K38", "K40-K46", "K50-K52", "K55-K64", "K65-K67", "K70-K77", "K80-K87", "K90-K93",
    "L00-L08", "L10-L14", "L20-L30", "L40-L45", "L50-L54", "L55-L59", "L60-L75", "L80-L99", "M00-M03",
    "M05-M14", "M15-M19", "M20-M25", "M30-M36", "M40-M43", "M45-M49", "M50-M54", "M60-M63", "M65-M68",
    "M70-M79", "M80-M85", "M86-M90", "M91-M94", "M95-M99", "N00-N08", "N10-N16", "N17-N19", "N20-N23",
    "N25-N29", "N30-N39", "N40-N51", "N60-N64", "N70-N77", "N80-N98", "N99", "O00-O08", "O10-O16", "O20-O29",
    "O30-O48", "O60-O75", "O80-O84", "O85-O92", "O94-O99", "P00-P04", "P05-P08", "P10-P15", "P20-P29",
    "P35-P39", "P50-P61", "P70-P74", "P75-P78", "P80-P83", "P90-P96", "Q00-Q07", "Q10-Q18", "Q20-Q28",
    "Q30-Q34", "Q35-Q37", "Q38-Q45", "Q50-Q56", "Q60-Q64", "Q65-Q79", "Q80-Q89", "Q90-Q99", "R00-R09",
    "R10-R19", "R20-R23", "R25-R29", "R30-R39", "R40-R46", "R47-R49", "R50-R69", "R70-R79", "R80-R82",
    "R83-R89", "R90-R94", "R95-R99", "S00-S09", "S10-S19", "S20-S29", "S30-S39", "S40-S49", "S50-S59",
    "S60-S69", "S70-S79", "S80-S89", "S90-S99", "T00-T07", "T08-T14", "T15-T19", "T20-T25", "T26-T28",
    "T29-T32", "T33-T35", "T36-T50", "T51-T65", "T66-T78", "T79", "T80-T88", "T90-T98", "U00-U49", "U82-U85",
    "V01-V99", "W00-W99", "X00-X59", "X60-X84", "X85-Y09", "Y10-Y34", "Y35-Y36", "Y40-Y84", "Y85-Y89",
    "Y90-Y98", "Z00-Z13", "Z20-Z29", "Z30-Z39", "Z40-Z54", "Z55-Z65", "Z70-Z76", "Z80-Z99",
];

#[cfg(test)]
mod tests {
    use super::{BLOCKS, CHAPTERS, block, chapter};

    fn first(block: &str) -> &str {
        block.get(..3).unwrap()
    }

    fn last(block: &str) -> &str {
        block.get(4..).unwrap_or(block)
    }

    #[test]
    fn blocks_ascend_and_do_not_overlap() {
        for pair in BLOCKS.windows(2) {
            assert!(last(pair[0]) < first(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn every_category_of_a_block_lies_in_the_same_chapter() {
        for letter in 'A'..='Z' {
            for number in 0..100 {
                let category = format!("{letter}{number:02}");
                let holds = |block: &&&str| (first(block)..=last(block)).contains(&category.as_str());
                let found = block(&category);
                assert_eq!(BLOCKS.iter().filter(holds).copied().collect::<Vec<_>>(), Vec::from_iter(found));
                if let Some(block) = found {
                    assert_eq!(chapter(&category), chapter(first(block)), "{category}");
                    assert!(chapter(&category).is_some(), "{category}");
                }
            }
        }
        assert_eq!(CHAPTERS.len(), 22);
    }
}
