//! `bucket(x, 10, 20, 50)`: a number in bands whose cuts are written in the query.
//!
//! Bands include their lower cut. The first and the last band are open, so every number has one.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{PLACES, literal, numbers, texts};
use super::{Argument, Call, Function, FunctionDoc, Gives, Literal, scalar_function};
use crate::domain::KeyDomain;

const MOST: usize = 20;
/// Bands of the catalogue's own may be finer than those that a query writes.
const MOST_OF_ALL: usize = catalog_model::MOST_CUTS;

pub(super) static FUNCTION: Function = Function {
    name: "bucket",
    arguments: &[Argument::Number, Argument::Cuts(MOST)],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: Bucket::udf,
    doc: FunctionDoc {
        call: "bucket(number, cut, …)",
        ja: "数値を、問いに書いた境界で区切った階級に（境界は下の値を含む。20個まで）",
        text: "a number in bands between up to 20 ascending whole numbers written in the query",
        example: "bucket(days_between(s.admission_date, s.discharge_date), 7, 14, 30) = '7-<14'",
        cases: &[
            ("bucket(6, 7, 14, 30)", "<7"),
            ("bucket(7, 7, 14, 30)", "7-<14"),
            ("bucket(30, 7, 14, 30)", "30+"),
        ],
    },
};

scalar_function!(Bucket, "bucket", Gives::Text, types(), invoke);

fn types() -> Vec<Vec<DataType>> {
    let kinds = [DataType::Int64, DataType::Decimal128(18, 5), DataType::Int32];
    let with_cuts = |first: &DataType, cuts: usize| {
        std::iter::once(first.clone()).chain(std::iter::repeat_n(DataType::Int64, cuts)).collect()
    };
    kinds.iter().flat_map(|first| (1..=MOST_OF_ALL).map(move |cuts| with_cuts(first, cuts))).collect()
}

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let cuts: Vec<i64> = (1..args.args.len()).map(|at| literal(args, at, 0)).collect();
    let labels = labels(&cuts);
    let band = |number: Option<i128>| {
        let number = number?;
        labels.get(cuts.partition_point(|cut| i128::from(*cut) * PLACES <= number))
    };
    Ok(texts(numbers(args, 0)?.into_iter().map(band)))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    let cut = |literal: &Literal| match literal {
        Literal::Number(cut) => Some(*cut),
        Literal::Text(_) | Literal::Other => None,
    };
    Some(KeyDomain::labels(labels(&call.literals.iter().filter_map(cut).collect::<Vec<_>>())))
}

fn labels(cuts: &[i64]) -> Vec<String> {
    let first = cuts.first().map(|cut| format!("<{cut}"));
    let between = cuts.iter().zip(cuts.iter().skip(1)).map(|(from, to)| format!("{from}-<{to}"));
    let last = cuts.last().map(|cut| format!("{cut}+"));
    first.into_iter().chain(between).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn bands_lie_between_the_cuts() {
        assert_eq!(labels(&[10]), ["<10", "10+"]);
        assert_eq!(labels(&[-5, 0, 5]), ["<-5", "-5-<0", "0-<5", "5+"]);
    }
}
