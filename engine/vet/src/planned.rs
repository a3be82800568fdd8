//! Functions that the planner must know and that nothing ever executes: they become evidence or a post-program.
//!
//! `median`, `quantile`, `stddev`, `variance` are worked out by the worker's own accumulation, `round` by the
//! post-program. Were one of them ever to reach an engine, it would fail and give nothing.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Result, not_impl_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

/// Aggregates of a result beyond those that DataFusion executes for us.
pub(crate) fn aggregates() -> Vec<AggregateUDF> {
    [("median", 1), ("quantile", 2), ("stddev", 1), ("variance", 1)]
        .map(|(name, arguments)| {
            let signature = Signature::any(arguments, Volatility::Immutable);
            AggregateUDF::from(PlannedAggregate { name, signature })
        })
        .into()
}

/// Scalar functions of the post-program.
pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    ["round"]
        .map(|name| {
            let signature = Signature::variadic_any(Volatility::Immutable);
            Arc::new(ScalarUDF::from(PlannedScalar { name, signature }))
        })
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlannedAggregate {
    name: &'static str,
    signature: Signature,
}

impl AggregateUDFImpl for PlannedAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("never executed")
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<arrow::datatypes::FieldRef>> {
        not_impl_err!("never executed")
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlannedScalar {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for PlannedScalar {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Float64))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        not_impl_err!("never executed")
    }
}
