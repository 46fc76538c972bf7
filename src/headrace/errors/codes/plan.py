"""Codes of the planner: SQL02xx (names), SQL03xx (types and rules)."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNKNOWN_COLUMN = Code(
    "SQL0201",
    "unknown column",
    "The column is not in the schema of the source that the name refers to. Field names are case sensitive. A field of the key is "
    "`_key.name`, of the record's place `_meta.offset`, `_meta.partition`, `_meta.timestamp`.",
)

NAME_TWICE = Code(
    "SQL0202",
    "name defined twice",
    "Two parts of `WITH`, or two `CREATE TABLE`, have the same name.",
)

FORWARD_REFERENCE = Code(
    "SQL0203",
    "name used before it is defined",
    "A query may use the names of a `WITH` that stand before it. A name that reads itself, directly or through others, has no meaning.",
)

UNKNOWN_FUNCTION = Code(
    "SQL0204",
    "unknown function",
    "There is no function of this name, neither in the language nor among the scalar functions of DuckDB.",
)

DUPLICATE_OUTPUT = Code(
    "SQL0205",
    "output name used twice",
    "Two columns of a SELECT have the same name, or one is inside the other. Give one of them another name with `AS`.",
)

BAD_TARGET = Code(
    "SQL0206",
    "cannot be written",
    "A projection may write a field, `_key`, a field of `_key`, or `_value`. `_meta` and `_headers` can be read and not written.",
)

MISPLACED_FORMAT = Code(
    "SQL0207",
    "format predicate in the wrong place",
    "`_ktype = FORMAT` and `_vtype = FORMAT` say how the source is decoded. They are no conditions on rows: they stand at the top of "
    "WHERE, joined by AND, and compare with the name of a format.",
)

AMBIGUOUS_SOURCE_FORMAT = Code(
    "SQL0208",
    "one topic read in two formats",
    "Two statements of the program read the same topic with different formats. A topic has one format for its keys and one for its values.",
)

TYPE_MISMATCH = Code(
    "SQL0301",
    "types do not fit",
    "The operands of an operator, or the arguments of a function, are of types that it does not take. Convert one of them with "
    "`CAST(x AS type)`.",
)

WRONG_ARGUMENTS = Code(
    "SQL0302",
    "wrong arguments",
    "The function takes another number of arguments.",
)

NOT_YET = Code(
    "SQL0303",
    "not supported yet",
    "The language has this clause, but a processor cannot run it.",
)

NOT_A_CONDITION = Code(
    "SQL0304",
    "not a condition",
    "WHERE, AND, OR, NOT and WHEN take an expression that is true or false.",
)

STORE_NOT_ALLOWED = Code(
    "SQL0305",
    "format cannot be written",
    "The type of the key or value cannot be written in this format. A record (several fields) needs JSON or AVRO; INT, LONG, STRING "
    "and BYTES hold one value.",
)

MISSING_TARGET = Code(
    "SQL0306",
    "target topic does not exist",
    "The topic of INSERT INTO does not exist and the program may not create it. Create it, or let the program do so with "
    "`SET autocreate = true;`.",
)

INCOMPATIBLE_TARGET = Code(
    "SQL0307",
    "target holds other records",
    "The query's result does not fit what the target topic is declared to hold, its schema in the registry, or what another INSERT of the "
    "program writes there.",
)

NOTHING_TO_RUN = Code(
    "SQL0308",
    "nothing to run",
    "A program that runs has at least one `INSERT INTO topic SELECT …`. A SELECT by itself is a snapshot query: `headrace query`.",
)

SELF_INSERT = Code(
    "SQL0309",
    "topic written by its own reader",
    "The query reads the topic that it writes, so that each record would be processed again for ever.",
)

NO_SUCH_TYPE = Code(
    "SQL0310",
    "type cannot be written",
    "The type is unknown, or no format can hold it. Convert it with `CAST(x AS type)`.",
)

UNION_MISMATCH = Code(
    "SQL0311",
    "branches of UNION ALL differ",
    "The SELECTs of a UNION ALL give one record type: as many columns each, with types that have a common type.",
)

BAD_EVENT_TIME = Code(
    "SQL0312",
    "no event time",
    "EVENTTIME BY takes a timestamp, a date, or whole milliseconds since 1970-01-01 UTC.",
)

NOT_IN_A_PROCESSOR = Code(
    "SQL0313",
    "statement is not part of a processor",
    "A processor is made of SET, CREATE TABLE, WITH and INSERT INTO … SELECT.",
)

NOT_A_TABLE = Code(
    "SQL0314",
    "stream read as a table",
    "SELECT TABLE reads a topic, or a name of WITH that is itself a SELECT TABLE: a stream has no latest value of a key. "
    "The other way round is fine: SELECT STREAM over a table reads its changes.",
)

TOO_DEEP = Code(
    "SQL0315",
    "nested too deeply",
    "The query is nested deeper than the planner follows. Split it into several steps with WITH.",
)

NO_REGISTRY = Code(
    "SQL0316",
    "no schema registry",
    "AVRO is written with a schema that a registry keeps. Name the registry with `--registry` or `HEADRACE_SCHEMA_REGISTRY`, or store "
    "another format.",
)

AMBIGUOUS_COLUMN = Code(
    "SQL0209",
    "column in several sources",
    "More than one source of the query has a column of this name. Write the source's name before it: `source.column`.",
)

NOT_ONE_QUERY = Code(
    "SQL0317",
    "not one query",
    "A snapshot query is one SELECT; SET, WITH and CREATE TABLE may stand before it. INSERT is for `headrace run`.",
)

BAD_GROUPING = Code(
    "SQL0318",
    "columns and aggregates do not go together",
    "In a SELECT with GROUP BY or with an aggregate, every column stands in GROUP BY or inside an aggregate, and WHERE has none.",
)

SAME_BUT_CASE = Code(
    "SQL0210",
    "field names that differ only by case",
    "A record has two fields whose names differ only by case. Each of them can be read by its full path (`a.b.Name`), but not from a "
    "record that the same program also reads as a whole.",
)

NOT_OVER_A_TABLE = Code(
    "SQL0319",
    "not computed over a table",
    "A table's rows change and go. An aggregate over it takes the old row back before it adds the new one, which FIRST, LAST, ANYF and the "
    "APPROX_ functions cannot. Windows cut time, and the rows of a table have none: they hold until the next update.",
)

NOT_CONSTANT = Code(
    "SQL0320",
    "constant expected",
    "How many values are kept, a separator and a share of the values are part of the program: they are written as a number or text, not "
    "computed from the record.",
)

BAD_WINDOW = Code(
    "SQL0321",
    "window that cannot run",
    "A window has a fixed length above zero; the advance of HOP is not longer than its size, and the size of CUMULATE a multiple of its step. "
    "A SELECT has one window, in WINDOW BY or in GROUP BY, and GRACE BY goes with it. Without aggregate and group WINDOW BY gives the rows "
    "of TUMBLE, HOP or CUMULATE windows, none of which is late.",
)

BAD_EMIT = Code(
    "SQL0322",
    "results that are never final",
    "EMIT FINAL gives the result of a window once it is closed: it needs WINDOW BY and an aggregate. Without a window a result never is final; "
    "EMIT CHANGES, the default, gives each change.",
)

READ_AS_A_TABLE = Code(
    "SQL0324",
    "topic read as a table",
    "A SELECT with neither STREAM nor TABLE reads a table, as in 2018: an aggregate over it counts the latest record of each key, and takes "
    "back what that record replaces. SELECT STREAM counts each record.",
)

CHANGES_AS_FACTS = Code(
    "SQL0326",
    "changes counted as facts",
    "SELECT STREAM over a table reads its changes, each of them a row of its own, and an aggregate over them counts every change. How many "
    "changes there are depends on when results come out (`SET emit`, `commit.interval.ms`). SELECT TABLE takes the old row back when the new "
    "one comes.",
)

BAD_RANK = Code(
    "SQL0325",
    "rows ranked without an end",
    "ROW_NUMBER(), RANK() or DENSE_RANK() OVER (PARTITION BY … ORDER BY …) in a stream keeps the first rows of each part. It needs an order, and "
    "a bound: QUALIFY with `<= 10`, or the same in WHERE of the query that reads it.",
)

BAD_OVER = Code(
    "SQL0334",
    "an aggregate over rows that are not there",
    "An aggregate OVER (PARTITION BY … ORDER BY … ROWS BETWEEN n PRECEDING AND CURRENT ROW) in a stream gives each row with the result over "
    "itself and the rows before it. The rows of a stream are taken in the order of time in which they come, those of a table in any order; "
    "rows that follow are not there yet. RANGE BETWEEN INTERVAL 'n' unit PRECEDING AND CURRENT ROW takes all rows of a stretch of time, those of "
    "the row's own time too: so rows of a stream wait for them, as long as GRACE BY says.",
)

NULLS_OF_NOT_IN = Code(
    "SQL0335",
    "NOT IN of values that may be null",
    "A single null among the values of `x NOT IN (SELECT y …)` lets no row through, and a null `x` passes only where the query gives no row. "
    "What is true of all rows at once cannot be kept up with each change, so that in a stream neither may be null: by its type, or by "
    "`IS NOT NULL` among the conditions. NOT EXISTS asks the same without this rule.",
)

KEY_OF_A_TABLE = Code(
    "SQL0323",
    "key of a table's row",
    "The rows of a table are told apart by their key: for the result of GROUP BY these are the grouped columns and the window. A key that is "
    "computed from anything else would leave the old key behind when the row changes. LATERAL makes several rows of one, which have one "
    "key: they can be grouped or ranked, and SELECT STREAM writes them as facts.",
)

BAD_JOIN = Code(
    "SQL0327",
    "sources that cannot be joined like this",
    "Two streams are joined within a time of one another (`WITHIN 10m`, or conditions on both times), or where their rows have equal windows. "
    "A stream joined with a table takes what the table holds at that moment: INNER, or LEFT where the stream stands on the left. A GLOBAL "
    "TABLE is a topic that every thread reads whole. Two tables are joined in every way. A SELECT STREAM without WITHIN reads "
    "the first topic as a stream and the joined one as a table; SELECT TABLE reads both as tables.",
)

JOIN_CONDITION = Code(
    "SQL0328",
    "condition that rows cannot be joined on",
    "ON is made of equalities between expressions of either side, joined by AND; a table is joined on its key. Other conditions go into "
    "WHERE, or filter the result of an INNER JOIN. Without ON rows meet by their keys. A warning where conditions bound the times of two "
    "streams so that no time lies between: the program runs, and no row finds a partner.",
)

CHANGED_TARGET = Code(
    "SQL0329",
    "records like none before",
    "The query writes JSON to a topic that exists, and its records differ from those that stand there: fields come or go, or whole numbers "
    "become fractions. That stops nothing. Who reads the topic may have to know; a `CREATE TABLE` of it in the program says what it is to "
    "hold, and ends the warning.",
)

BAD_TOPIC_NAME = Code(
    "SQL0330",
    "name that no topic can have",
    "A topic is to be created whose name Kafka does not take: names have letters, digits, `.`, `_` and `-`, at most 249 of them, and are "
    "neither `.` nor `..`.",
)

BAD_PATTERN = Code(
    "SQL0337",
    "pattern that cannot be matched",
    "MATCH_RECOGNIZE takes the rows of a stream in the order of their event time: ORDER BY names it. PATTERN takes at least one row. "
    "DEFINE and AFTER MATCH SKIP name its variables, and a call in DEFINE or MEASURES looks at the rows of one of them, or at all.",
)

DUCKDB_FORM = Code(
    "SQL0331",
    "form that DuckDB alone has",
    "The form belongs to DuckDB's SQL and not to the language of programs. `headrace query` and the shell give a whole query that has one to "
    "DuckDB as it stands; views, INSERT and programs cannot have it.",
)

DUCKDB_REFUSES = Code(
    "SQL0332",
    "query that DuckDB refuses",
    "The query has a form that only DuckDB's own SQL has, so DuckDB reads it as it stands: columns are named without regard to case, names "
    "stand between double quotes, and functions are DuckDB's. What it says against the query is shown.",
)

BAD_ORDER = Code(
    "SQL0336",
    "order that a stream cannot have",
    "ORDER BY in a stream holds rows until their event time has passed, so event time, `_meta.timestamp` or what EVENTTIME BY takes, comes "
    "first in it; other columns order rows of equal times. GRACE BY says how late rows may be. It stands in a SELECT STREAM that neither "
    "groups, joins nor cuts windows: these go into a WITH.",
)

NO_CLOCK = Code(
    "SQL0338",
    "no clock there",
    "PROCTIME() is the machine's clock when a batch of a topic's records is taken up by a program: columns of a stream and `EVENTTIME BY PROCTIME()` "
    "take it, where the topic itself is read. The results of groups and joins, and snapshot queries, have no such time; NOW() gives them the present.",
)

READ_BY_DUCKDB = Code(
    "SQL0333",
    "function of DuckDB in place of ours",
    "A query with a form that only DuckDB's own SQL has is read by DuckDB as it stands. It calls a function that in all other queries and in "
    "programs is Headrace's, and may differ: `SUBSTRING` counts from 0 there and from 1 in DuckDB.",
)
