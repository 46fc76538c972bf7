//! Which accumulator does what a call asks for.

use arrow_schema::DataType;

use super::all_values::{AllValues, View};
use super::cardinality::ApproxCount;
use super::distinct::Distinct;
use super::extremes::{Arrived, Keep, OneFixed, OneVarying, Truths};
use super::fold::Fold;
use super::lists::{Best, Collect, Unique};
use super::moments::{By, Deviation, ExactMoments, Moments};
use super::pairs::{Pairs, Relation, TablePairs};
use super::quantile::ApproxQuantile;
use super::sums::{DecimalSum, ExactMean, FloatSum, IntSum, is_number};
use super::table_floats::{TableFloatSum, TableMoments};
use super::table_sums::TableSum;
use super::values::Form;
use super::{Accumulator, Rows};
use crate::error::{Error, Result};
use crate::spec;

/// Which of its arguments a function takes values from; all of them must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// There is one.
    Only,
    /// Of two.
    First,
    Second,
    Both,
    /// That they are there is enough.
    None,
}

/// Say what a function takes.
pub fn picked(function: &str) -> Pick {
    match function {
        "REGR_COUNT" => Pick::None,
        "REGR_AVGY" | "REGR_SYY" => Pick::First,
        "REGR_AVGX" | "REGR_SXX" => Pick::Second,
        _ if relation(function).is_some() => Pick::Both,
        _ => Pick::Only,
    }
}

fn relation(function: &str) -> Option<Relation> {
    Some(match function {
        "COVAR_POP" => Relation::Covariance(By::All),
        "COVAR_SAMP" => Relation::Covariance(By::Sample),
        "REGR_SXY" => Relation::Covariance(By::One),
        "CORR" => Relation::Correlation,
        "REGR_SLOPE" => Relation::Slope,
        "REGR_INTERCEPT" => Relation::Intercept,
        "REGR_R2" => Relation::Determination,
        _ => return None,
    })
}

/// One call with its types.
pub struct Function<'a> {
    pub call: &'a spec::Call,
    pub argument: &'a DataType,
    pub result: &'a DataType,
    pub rows: Rows,
}

impl Function<'_> {
    fn name(&self) -> &str {
        &self.call.function
    }

    fn retracts(&self) -> bool {
        self.rows == Rows::ComeAndGo
    }

    pub fn gives_list(&self) -> bool {
        matches!(
            self.name(),
            "COLLECT"
                | "COLLECT_UNIQUE"
                | "MAXK"
                | "MAXK_UNIQUE"
                | "MINK"
                | "MINK_UNIQUE"
                | "TOPK"
                | "BOTTOMK"
                | "FOLD"
        )
    }

    fn refused(&self) -> Error {
        Error::spec(format!(
            "{} does not take {} and give {}",
            self.name(),
            self.argument,
            self.result
        ))
    }

    fn not_over_tables(&self) -> Error {
        Error::spec(format!("{} cannot take rows away", self.name()))
    }

    fn limit(&self) -> usize {
        self.call.limit.unwrap_or(usize::MAX)
    }

    pub fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        let distinct = self.call.distinct;
        if let Some(relation) = relation(self.name()) {
            return self.pairs(relation);
        }
        Ok(match self.name() {
            "COUNT" => {
                expect("COUNT", self.result == &DataType::Int64)?;
                Box::new(AllValues { view: View::Count })
            }
            "SUM" | "AVG" | "REGR_AVGX" | "REGR_AVGY" => self.distinct(self.sum_or_mean()?),
            "STDDEV" | "STDDEV_SAMP" | "VARIANCE" | "VAR_SAMP" | "STDDEV_POP" | "VAR_POP"
            | "REGR_SXX" | "REGR_SYY" => self.distinct(self.moments()?),
            "MIN" => self.one(Keep::Least)?,
            "MAX" => self.one(Keep::Greatest)?,
            "FIRST" | "ANYF" => self.one(Keep::First)?,
            "LAST" => self.one(Keep::Last)?,
            "BOOL_AND" | "BOOL_OR" => {
                let is_boolean =
                    self.argument == &DataType::Boolean && self.result == &DataType::Boolean;
                if !is_boolean {
                    return Err(self.refused());
                }
                self.distinct(Box::new(Truths {
                    all: self.name() == "BOOL_AND",
                }))
            }
            "FOLD" => self.fold()?,
            "COLLECT" => self.collect(distinct),
            "COLLECT_UNIQUE" => self.collect(true),
            "MAXK" => self.best(true, distinct),
            "MAXK_UNIQUE" => self.best(true, true),
            "MINK" => self.best(false, distinct),
            "MINK_UNIQUE" => self.best(false, true),
            "TOPK" | "BOTTOMK" => Box::new(AllValues {
                view: View::ByCount {
                    descending: self.name() == "TOPK",
                    limit: self.limit(),
                },
            }),
            "STRING_AGG" => self.text()?,
            "APPROX_COUNT_DISTINCT" => {
                self.only_over_streams()?;
                expect("APPROX_COUNT_DISTINCT", self.result == &DataType::Int64)?;
                Box::new(ApproxCount)
            }
            "APPROX_QUANTILE" => self.distinct(self.quantile()?),
            other => return Err(Error::spec(format!("there is no aggregate `{other}`"))),
        })
    }

    /// Let the function see each value once, if so asked.
    fn distinct(&self, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        if self.call.distinct {
            Box::new(Distinct {
                inner,
                form: Form::of(self.argument),
            })
        } else {
            inner
        }
    }

    fn only_over_streams(&self) -> Result<()> {
        if self.retracts() {
            Err(self.not_over_tables())
        } else {
            Ok(())
        }
    }

    fn is_number(&self) -> bool {
        is_number(Form::of(self.argument))
            && (self.argument.is_numeric() || matches!(self.argument, DataType::Decimal128(_, _)))
    }

    fn sum_or_mean(&self) -> Result<Box<dyn Accumulator>> {
        let mean = self.name() != "SUM";
        let form = Form::of(self.argument);
        if !self.is_number() {
            return Err(self.refused());
        }
        let exact_mean =
            |result| ExactMean::new(scale_of(self.argument), result).ok_or_else(|| self.refused());
        let retracts = self.retracts();
        Ok(match (form, self.result) {
            (Form::Float, DataType::Float64) if retracts => Box::new(TableFloatSum { mean }),
            (Form::Float, DataType::Float64) => Box::new(FloatSum { mean }),
            // Sums of whole numbers that are not wide never get too large for their mean.
            (Form::Wide, DataType::Float64) if mean && retracts => {
                Box::new(TableSum::Mean(exact_mean(None)?))
            }
            (_, DataType::Float64) if mean && form != Form::Float => Box::new(exact_mean(None)?),
            (_, DataType::Decimal128(_, larger)) if mean && form != Form::Float => {
                let mean = exact_mean(Some(*larger))?;
                if retracts {
                    Box::new(TableSum::Mean(mean))
                } else {
                    Box::new(mean)
                }
            }
            (Form::Int, DataType::Int64) if !mean && retracts => Box::new(TableSum::Int),
            (Form::Int, DataType::Int64) if !mean => Box::new(IntSum),
            (Form::Int | Form::Wide, DataType::Decimal128(38, same))
                if !mean && *same == scale_of(self.argument) =>
            {
                if retracts {
                    Box::new(TableSum::Decimal)
                } else {
                    Box::new(DecimalSum)
                }
            }
            _ => return Err(self.refused()),
        })
    }

    fn moments(&self) -> Result<Box<dyn Accumulator>> {
        if !self.is_number() || self.result != &DataType::Float64 {
            return Err(self.refused());
        }
        let deviation = Deviation {
            by: match self.name() {
                name if name.starts_with("REGR") => By::One,
                name if name.ends_with("_POP") => By::All,
                _ => By::Sample,
            },
            root: self.name().starts_with("STDDEV"),
            scale: scale_of(self.argument),
        };
        Ok(match self.argument {
            DataType::Decimal128(..=18, _) => Box::new(ExactMoments(deviation)),
            other if Form::of(other) == Form::Int => Box::new(ExactMoments(deviation)),
            _ if self.retracts() => Box::new(TableMoments(deviation)),
            _ => Box::new(Moments(deviation)),
        })
    }

    /// The compiler has seen to it that both arguments are doubles.
    fn pairs(&self, relation: Relation) -> Result<Box<dyn Accumulator>> {
        if self.result != &DataType::Float64 {
            return Err(self.refused());
        }
        Ok(if self.retracts() {
            Box::new(TablePairs(relation))
        } else {
            Box::new(Pairs(relation))
        })
    }

    fn fold(&self) -> Result<Box<dyn Accumulator>> {
        if self.argument != &DataType::Binary || self.call.distinct {
            return Err(self.refused());
        }
        Ok(Box::new(Fold {
            folder: self.call.fold.clone(),
            retracts: self.retracts(),
        }))
    }

    fn one(&self, keep: Keep) -> Result<Box<dyn Accumulator>> {
        if self.argument != self.result {
            return Err(self.refused());
        }
        if self.retracts() {
            return match keep {
                Keep::Least => Ok(Box::new(AllValues {
                    view: View::One { greatest: false },
                })),
                Keep::Greatest => Ok(Box::new(AllValues {
                    view: View::One { greatest: true },
                })),
                Keep::First | Keep::Last => Err(self.not_over_tables()),
            };
        }
        let one: Box<dyn Accumulator> = match Form::of(self.argument) {
            Form::Bytes | Form::Row => Box::new(OneVarying { keep }),
            form => Box::new(OneFixed { keep, form }),
        };
        if self.rows == Rows::AreMerged && matches!(keep, Keep::First | Keep::Last) {
            return Ok(Box::new(Arrived {
                inner: one,
                last: keep == Keep::Last,
            }));
        }
        Ok(one)
    }

    fn collect(&self, unique: bool) -> Box<dyn Accumulator> {
        let limit = self.limit();
        if self.retracts() {
            Box::new(AllValues {
                view: View::Sorted {
                    descending: false,
                    unique,
                    limit,
                },
            })
        } else if unique {
            Box::new(Unique {
                limit,
                separator: None,
            })
        } else {
            Box::new(Collect {
                limit,
                separator: None,
            })
        }
    }

    fn best(&self, descending: bool, unique: bool) -> Box<dyn Accumulator> {
        let limit = self.limit();
        if self.retracts() {
            Box::new(AllValues {
                view: View::Sorted {
                    descending,
                    unique,
                    limit,
                },
            })
        } else {
            Box::new(Best {
                limit,
                descending,
                unique,
            })
        }
    }

    fn text(&self) -> Result<Box<dyn Accumulator>> {
        if self.argument != &DataType::Utf8 || self.result != &DataType::Utf8 {
            return Err(self.refused());
        }
        let separator = self
            .call
            .parameter
            .clone()
            .unwrap_or_else(|| ",".to_owned());
        let unique = self.call.distinct;
        Ok(if self.retracts() {
            Box::new(AllValues {
                view: View::Text { separator, unique },
            })
        } else if unique {
            Box::new(Unique {
                limit: usize::MAX,
                separator: Some(separator),
            })
        } else {
            Box::new(Collect {
                limit: usize::MAX,
                separator: Some(separator),
            })
        })
    }

    fn quantile(&self) -> Result<Box<dyn Accumulator>> {
        self.only_over_streams()?;
        let result = Form::of(self.result);
        if !self.is_number() || !is_number(result) {
            return Err(self.refused());
        }
        let quantile = self
            .call
            .parameter
            .as_deref()
            .unwrap_or("0.5")
            .parse()
            .unwrap_or(f64::NAN);
        if !(0.0..=1.0).contains(&quantile) {
            return Err(Error::spec(
                "the quantile of APPROX_QUANTILE is not between 0 and 1",
            ));
        }
        Ok(Box::new(ApproxQuantile {
            quantile,
            scale: scale_of(self.argument),
            result,
            result_scale: scale_of(self.result),
        }))
    }
}

/// How many digits behind the point a number has.
fn scale_of(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

pub fn expect(function: &str, fits: bool) -> Result<()> {
    if fits {
        Ok(())
    } else {
        Err(Error::spec(format!(
            "{function} does not give what the output has"
        )))
    }
}
