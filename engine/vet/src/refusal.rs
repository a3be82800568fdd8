//! Why a query does not run: the question's fault, or the permit's.

use std::fmt;

/// The rule that a query breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The text is SQL of a bounded size.
    Size,
    /// The text can be parsed.
    Syntax,
    /// One `SELECT`, nothing else.
    OneSelect,
    /// Tables, columns and functions exist.
    Names,
    /// The result is a table of groups and aggregates.
    Root,
    /// Only plan nodes of the allow-list.
    Node,
    /// Tables of persons are joined by person.
    Join,
    /// Identities are joined and counted, never compared, shown or grouped.
    Identity,
    /// Conditions compare values with values or literals.
    Predicate,
    /// Groups have a declared finite set of values.
    GroupKey,
    /// Aggregates are counts, distinct persons, sums and averages.
    Aggregate,
    /// Functions are ours, with the arguments that they take.
    Function,
    /// Values are columns, literals, CASE and bounded arithmetic.
    Value,
    /// Inside a subquery rows are aggregated by person.
    Inner,
    /// Windows are over the rows of one person.
    Window,
    /// Every branch of a union carries the person.
    Union,
    /// What is computed from aggregates.
    Post,
    /// What a project keeps inside.
    Workspace,
    /// Lists of codes.
    List,
    /// How many describing columns rows are picked by.
    Picked,
    /// Figures of public tables beside the aggregates.
    Public,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 21] = [
        Self::Size,
        Self::Syntax,
        Self::OneSelect,
        Self::Names,
        Self::Root,
        Self::Node,
        Self::Join,
        Self::Identity,
        Self::Predicate,
        Self::GroupKey,
        Self::Aggregate,
        Self::Function,
        Self::Value,
        Self::Inner,
        Self::Window,
        Self::Union,
        Self::Post,
        Self::Workspace,
        Self::List,
        Self::Picked,
        Self::Public,
    ];

    /// The rule's name in messages, audit and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Syntax => "syntax",
            Self::OneSelect => "one-select",
            Self::Names => "names",
            Self::Root => "root",
            Self::Node => "node",
            Self::Join => "join",
            Self::Identity => "identity",
            Self::Predicate => "predicate",
            Self::GroupKey => "group-key",
            Self::Aggregate => "aggregate",
            Self::Function => "function",
            Self::Value => "value",
            Self::Inner => "inner",
            Self::Window => "window",
            Self::Union => "union",
            Self::Post => "post",
            Self::Workspace => "workspace",
            Self::List => "list",
            Self::Picked => "picked",
            Self::Public => "public",
        }
    }

    /// The rule itself in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::Size => "a query is text of a bounded size",
            Self::Syntax => "the text is SQL that can be parsed",
            Self::OneSelect => "a query is one SELECT statement",
            Self::Names => "tables, columns and functions exist",
            Self::Root => "a result is a table of groups and aggregates",
            Self::Node => "only steps of the allow-list are taken",
            Self::Join => "tables of persons are joined by person",
            Self::Identity => "identities are joined and counted, never compared, shown or grouped",
            Self::Predicate => "conditions compare values with values",
            Self::GroupKey => "groups have a declared finite set of values",
            Self::Aggregate => {
                "aggregates are counts of rows and persons, sums, means, spreads and quantiles"
            }
            Self::Function => "functions are those of the catalogue, with the arguments that they take",
            Self::Value => "values are columns, literals, CASE, functions and bounded arithmetic",
            Self::Inner => "inside a subquery rows are aggregated by person",
            Self::Window => "a window is over the rows of one person",
            Self::Union => "every branch of a union hands on the person",
            Self::Post => "aggregates are compared, ordered and computed with after protection",
            Self::Workspace => {
                "a project keeps rows of one person each, and reads them under the same permit"
            }
            Self::List => "a list of codes is looked up by a column of its code system",
            Self::Picked => "few describing columns pick the rows of a cohort",
            Self::Public => "figures of public tables are joined to the aggregates by their groups",
        }
    }

    /// The rule itself in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Size => "問合せの大きさには上限があります",
            Self::Syntax => "SQL として読めません",
            Self::OneSelect => "問合せは一つの SELECT 文です",
            Self::Names => "その名前の表・列・関数はありません",
            Self::Root => "結果は群と集計からなる表です",
            Self::Node => "許された処理だけを行います",
            Self::Join => "人の表どうしは person_id で結合します",
            Self::Identity => "識別番号は結合と人数の計数だけに使えます",
            Self::Predicate => "条件は値と値の比較です",
            Self::GroupKey => "群は宣言された有限個の値を持つ列で作ります",
            Self::Aggregate => "集計は行数・人数・合計・平均・ばらつき・分位点です",
            Self::Function => "関数はカタログにあるものを、決められた引数で使います",
            Self::Value => "値は列・定数・CASE・関数・範囲の決まった算術です",
            Self::Inner => "副問合せの中では person_id ごとに集計します",
            Self::Window => "ウィンドウは一人の行の中だけで使います",
            Self::Union => "UNION の各枝は person_id を持ちます",
            Self::Post => "集計値の比較・並べ替え・計算は保護のあとで行います",
            Self::Workspace => "保存する表は行ごとに一人で、同じ許可のもとで読みます",
            Self::List => "コードの一覧は、同じコード体系の列の条件で使います",
            Self::Picked => "行を選ぶのに使える属性の列の数には上限があります",
            Self::Public => "公開表の数値は、集計した結果に群の列で結合します",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The question cannot be answered as it is asked. It never depends on data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    rule: Rule,
    message: String,
    ja: Option<String>,
    span: Option<(usize, usize)>,
    suggestion: Option<String>,
}

impl Refusal {
    /// A refusal by `rule`.
    pub(crate) fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), ja: None, span: None, suggestion: None }
    }

    /// Says it in Japanese as well.
    #[must_use]
    pub(crate) fn ja(mut self, message: impl Into<String>) -> Self {
        self.ja = Some(message.into());
        self
    }

    /// Points at the place in the text, as byte offsets.
    #[must_use]
    pub(crate) fn at(mut self, span: Option<(usize, usize)>) -> Self {
        self.span = self.span.or(span);
        self
    }

    /// Proposes the nearest allowed form.
    #[must_use]
    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The rule that was broken.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// What is wrong, in plain words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is wrong, in plain Japanese; the rule in general where nothing more exact is said.
    pub fn message_ja(&self) -> &str {
        self.ja.as_deref().unwrap_or_else(|| self.rule.ja())
    }

    /// Where in the text, as byte offsets.
    pub const fn span(&self) -> Option<(usize, usize)> {
        self.span
    }

    /// The nearest allowed form.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// The permit does not cover a table or column that the question uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the permit does not cover {what}")]
pub struct Denial {
    /// The table, or `table.column`.
    pub what: String,
    /// Where in the text, as byte offsets.
    pub span: Option<(usize, usize)>,
}

/// Why a query does not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVetted {
    /// The question is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The permit does not cover it.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Nothing is said of it: the thread that would have judged it could not be started.
    #[error("there is no memory to judge the query with")]
    NoStack,
}
